//! A client's certificate: any bytes. Whatever it holds, what upstreams are told is visible ASCII and spaces, within
//! the limit.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sealgate_core::identity::{
    IdentityConfig, Sources, Standing, certificates_from_pem, chain_from_xfcc, der_from_pem, render,
};

/// What is told by default, and all that can be told.
static CONFIGS: LazyLock<[(IdentityConfig, Standing); 2]> = LazyLock::new(|| {
    let all = r#"{"clientCert": "chain", "unverified": "show"}"#;
    [
        (IdentityConfig::default(), Standing::Verified),
        (serde_json::from_str(all).unwrap(), Standing::Presented),
    ]
});

fuzz_target!(|bytes: &[u8]| {
    let _ = der_from_pem(bytes);
    let _ = chain_from_xfcc(bytes);
    let chain = certificates_from_pem(bytes).unwrap_or_default();
    for (config, standing) in &*CONFIGS {
        let sources = Sources {
            connection: None,
            standing: *standing,
            leaf: Some(bytes),
            chain: &chain,
        };
        let rendered = render(config, &sources);
        let is_plain = |byte: &u8| (0x20..0x7f).contains(byte);
        for (name, value) in &rendered.set {
            assert!(value.iter().all(is_plain), "{name}");
            assert!(
                value.trim_ascii() == value.as_slice() && !value.is_empty(),
                "{name}"
            );
        }
        let size: usize = rendered
            .set
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        assert!(size <= 32 * 1024);
    }
});
