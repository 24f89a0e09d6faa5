//! A folder served by `sendfile(2)`: `cargo run -p static-files -- [folder] [address]`, then open the address it prints.

use axum::Router;
use tower_zerocopy_fs::{Listing, ServeFiles, ZeroCopyListener};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let argument = |at, default: &str| std::env::args().nth(at).unwrap_or(default.to_owned());
    let folder = argument(1, ".");
    let files = ServeFiles::try_new(folder)?
        .precompressed_br()
        .precompressed_gzip()
        .listing(Listing::Negotiated);
    let app = Router::new().fallback_service(files);
    let listener = tokio::net::TcpListener::bind(argument(2, "127.0.0.1:8080")).await?;
    println!("http://{}/", listener.local_addr()?);
    axum::serve(ZeroCopyListener::new(listener), app).await
}
