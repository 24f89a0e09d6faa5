use std::convert::Infallible;

use tower::{ServiceExt, service_fn};

use super::*;
use crate::admission::{Admission, Cut};

#[tokio::test]
async fn in_a_crowd_http1_responses_end_their_connections() {
    let admission = Admission::builder().build().unwrap();
    let core = admission.core();
    let place = core.enter(0).take(None, &Default::default());
    let inner = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let service = Counted::new(inner, Connection(place.shared().clone()));
    let ask = |version| {
        let mut request = Request::new(Body::empty());
        *request.version_mut() = version;
        let response = service.clone().oneshot(request);
        async { response.await.unwrap().headers().get(CONNECTION).cloned() }
    };
    assert_eq!(ask(Version::HTTP_11).await, None);
    core.set_crowded();
    assert_eq!(ask(Version::HTTP_11).await.unwrap(), "close");
    assert_eq!(ask(Version::HTTP_2).await, None);
}

#[tokio::test]
async fn a_handshake_keeps_its_word_in_a_crowd_and_while_its_connection_is_to_end() {
    let admission = Admission::builder().build().unwrap();
    let core = admission.core();
    let ask = |method: Method, status: StatusCode| {
        let place = core.enter(0).take(None, &Default::default());
        let inner = service_fn(move |_| async move {
            let answer = Response::builder()
                .status(status)
                .header(CONNECTION, "upgrade")
                .body(Body::empty());
            Ok::<_, Infallible>(answer.unwrap())
        });
        let service = Counted::new(inner, Connection(place.shared().clone()));
        place.shared().close(Cut::Asked);
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        async {
            let response = service.oneshot(request).await.unwrap();
            response.headers()[CONNECTION].clone()
        }
    };
    core.set_crowded();
    let switching = StatusCode::SWITCHING_PROTOCOLS;
    assert_eq!(ask(Method::GET, switching).await, "upgrade");
    assert_eq!(ask(Method::CONNECT, StatusCode::OK).await, "upgrade");
    assert_eq!(ask(Method::CONNECT, StatusCode::FORBIDDEN).await, "close");
    assert_eq!(ask(Method::GET, StatusCode::OK).await, "close");
}
