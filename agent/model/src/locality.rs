//! Where an endpoint or a gateway is: Istio's `region/zone/subzone`.

use std::fmt;

use thiserror::Error;

/// The labels that say so, as Istio names them.
pub(crate) const REGION_LABEL: &str = "topology.kubernetes.io/region";
pub(crate) const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
pub(crate) const SUB_ZONE_LABEL: &str = "topology.istio.io/subzone";

/// A locality. A part that is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locality {
    /// The widest.
    pub region: String,
    /// Within the region.
    pub zone: String,
    /// Within the zone.
    pub sub_zone: String,
}

/// Why a text is no locality of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected REGION, REGION/ZONE or REGION/ZONE/SUBZONE, without `*` and spaces")]
pub struct LocalityError;

impl Locality {
    /// A gateway's own. Parts may be empty: `/zone` is one of a region that has no name.
    ///
    /// # Errors
    /// It has more than three parts, or one that no locality can have.
    pub fn of_gateway(text: &str) -> Result<Self, LocalityError> {
        let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
        match text.split('/').count() <= 3 && text.split('/').all(is_part) {
            true => Ok(LocalityRef::parse(text).to_owned()),
            false => Err(LocalityError),
        }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn borrow(&self) -> LocalityRef<'_> {
        LocalityRef {
            region: &self.region,
            zone: &self.zone,
            sub_zone: &self.sub_zone,
        }
    }
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}/{}/{}", self.region, self.zone, self.sub_zone);
        f.write_str(text.trim_end_matches('/'))
    }
}

/// A [`Locality`] whose parts belong to somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalityRef<'p> {
    /// The widest.
    pub region: &'p str,
    /// Within the region.
    pub zone: &'p str,
    /// Within the zone.
    pub sub_zone: &'p str,
}

impl<'p> LocalityRef<'p> {
    /// As Istio splits it: what follows a third part is left out.
    #[must_use]
    pub fn parse(text: &'p str) -> Self {
        Self::split(text, '/')
    }

    /// What an endpoint's labels say themselves, if they do. Values of labels cannot have a slash, so a dot stands for it.
    pub(crate) fn of_label(text: &'p str) -> Self {
        Self::split(text, if text.contains('/') { '/' } else { '.' })
    }

    fn split(text: &'p str, separator: char) -> Self {
        let mut parts = text.split(separator);
        let mut part = || parts.next().unwrap_or_default();
        Self {
            region: part(),
            zone: part(),
            sub_zone: part(),
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Its own parts.
    #[must_use]
    pub fn to_owned(self) -> Locality {
        Locality {
            region: self.region.to_owned(),
            zone: self.zone.to_owned(),
            sub_zone: self.sub_zone.to_owned(),
        }
    }

    /// Whether a rule means it: `*` is any, and so is a zone or subzone that the rule leaves out.
    pub(crate) fn is_meant(self, rule: LocalityRef<'_>) -> bool {
        let is_part = |rule: &str, own: &str| rule == "*" || rule == own;
        let is_any_part = |rule: &str, own: &str| rule.is_empty() || is_part(rule, own);
        is_part(rule.region, self.region)
            && is_any_part(rule.zone, self.zone)
            && is_any_part(rule.sub_zone, self.sub_zone)
    }

    /// How much of it is another one's: 0 is all, 1 the zone, 2 the region and 3 nothing.
    pub(crate) fn distance(self, other: LocalityRef<'_>) -> u32 {
        if self.region != other.region {
            3
        } else if self.zone != other.zone {
            2
        } else {
            u32::from(self.sub_zone != other.sub_zone)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_split_as_istio_splits_them() {
        let parts = |place: LocalityRef<'_>| [place.region, place.zone, place.sub_zone].map(str::to_owned);
        for (text, expected) in [
            ("", ["", "", ""]),
            ("r", ["r", "", ""]),
            ("r/z", ["r", "z", ""]),
            ("r/z/s", ["r", "z", "s"]),
            ("r/z/s/more", ["r", "z", "s"]),
            ("/z", ["", "z", ""]),
        ] {
            assert_eq!(parts(LocalityRef::parse(text)), expected, "{text}");
        }
        assert_eq!(parts(LocalityRef::of_label("r.z.s")), ["r", "z", "s"]);
        assert_eq!(parts(LocalityRef::of_label("r.1/z")), ["r.1", "z", ""]);
    }

    #[test]
    fn a_gateways_own_has_at_most_three_parts_without_wildcards() {
        for (text, expected) in [
            ("r/z/s", Some("r/z/s")),
            ("r", Some("r")),
            ("/z", Some("/z")),
            ("//", Some("")),
            ("r/z/s/t", None),
            ("r/*", None),
            ("r/z z", None),
        ] {
            let found = Locality::of_gateway(text).map(|found| found.to_string());
            assert_eq!(found.ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn rules_mean_all_that_they_leave_out() {
        let own = LocalityRef::parse("r/z/s");
        for (rule, expected) in [
            ("*", true),
            ("r", true),
            ("r/*", true),
            ("r/z", true),
            ("r/z/*", true),
            ("r/*/s", true),
            ("r/z/s", true),
            ("q", false),
            ("r/y", false),
            ("r/z/t", false),
            ("", false),
        ] {
            assert_eq!(own.is_meant(LocalityRef::parse(rule)), expected, "{rule}");
        }
    }

    #[test]
    fn nearer_is_what_has_more_in_common() {
        let own = LocalityRef::parse("r/z/s");
        for (other, expected) in [("r/z/s", 0), ("r/z", 1), ("r/y/s", 2), ("q/z/s", 3), ("", 3)] {
            assert_eq!(own.distance(LocalityRef::parse(other)), expected, "{other}");
        }
    }
}
