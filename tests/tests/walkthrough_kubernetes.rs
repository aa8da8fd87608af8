//! The walkthrough in short form, with the real Envoy and the real API server.

use sealgate_tests::store::Kind;
use sealgate_tests::walkthrough::Walkthrough;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walkthrough_holds_with_objects_of_the_api_server() -> anyhow::Result<()> {
    Walkthrough::play(Kind::Kubernetes, 3, |_| ()).await.map(drop)
}
