//! The page, in the real Chromium: as static files without a gateway, and served by a real agent with a real Envoy.

mod agreement;
mod files;
mod live;
mod looks;
mod many;
mod pasted;
