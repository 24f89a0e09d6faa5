//! A folder served by `sendfile(2)`: `cargo run -p static-files -- [folder]`, then open <http://127.0.0.1:8080/>.

use axum::Router;
use tower_zerocopy_fs::{Listing, ServeFiles, ZeroCopyListener};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let files = ServeFiles::try_new(folder)?
        .precompressed_br()
        .precompressed_gzip()
        .listing(Listing::Negotiated);
    let app = Router::new().fallback_service(files);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(ZeroCopyListener::new(listener), app).await
}
