//! The page, in the real Chromium: as static files without a gateway, and served by a real agent beside a real Envoy.

#[path = "page/agreement.rs"]
mod agreement;
#[path = "page/files.rs"]
mod files;
#[path = "page/live.rs"]
mod live;
#[path = "page/looks.rs"]
mod looks;
#[path = "page/many.rs"]
mod many;
#[path = "page/pasted.rs"]
mod pasted;
