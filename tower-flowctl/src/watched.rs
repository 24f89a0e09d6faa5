//! Bodies that pass on what they are given, and tell somebody of it.

/// Makes `$body`, a `pin_project` of `inner` and `watch`, the body that `inner` is. What `inner` is asked for frames comes
/// by, as it is, in `watch.saw`, with a question for whether that was the last.
macro_rules! watched {
    ($body:ident) => {
        impl<B: http_body::Body> http_body::Body for $body<B> {
            type Data = B::Data;
            type Error = B::Error;

            fn poll_frame(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<http_body::Frame<B::Data>, B::Error>>> {
                let mut this = self.project();
                let frame = this.inner.as_mut().poll_frame(cx);
                this.watch.saw(&frame, || this.inner.is_end_stream());
                frame
            }

            fn is_end_stream(&self) -> bool {
                self.inner.is_end_stream()
            }

            fn size_hint(&self) -> http_body::SizeHint {
                self.inner.size_hint()
            }
        }

        impl<B: std::fmt::Debug> std::fmt::Debug for $body<B> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($body))
                    .field("inner", &self.inner)
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use watched;

/// What a body answers when it is asked for a frame.
pub(crate) type Answer<D, E> = std::task::Poll<Option<Result<http_body::Frame<D>, E>>>;
