//! The walkthrough in short form, with the real Envoy.

use sealgate_tests::store::Kind;
use sealgate_tests::walkthrough::Walkthrough;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walkthrough_holds() -> anyhow::Result<()> {
    Walkthrough::play(Kind::Directory, 3, |_| ()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_holds_with_certificates_on_demand_too() -> anyhow::Result<()> {
    let flags = ["--on-demand-from=1"];
    Walkthrough::play_with(Kind::Directory, &flags, 3, |_| ())
        .await
        .map(drop)
}
