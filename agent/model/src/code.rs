//! The codes of findings: each with its word, how serious it is, what it means and what to do. `agent/docs/findings.md` shows
//! them (`cargo xtask findings`).

use std::cmp::Ordering;
use std::fmt;

use sealgate_core::convert::ProblemCode;
use serde::{Serialize, Serializer};

use crate::Severity;

/// What is said of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What it is about.
    pub section: Section,
    /// How serious it can be; empty for the state of a credential, which is no finding.
    pub severities: &'static [Severity],
    /// What it means, in Markdown.
    pub means: &'static str,
    /// What to do, in Markdown; empty where that is plain.
    pub remedy: &'static str,
}

/// What codes are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Reading them.
    Files,
    /// Credentials.
    Secrets,
    /// Servers.
    Gateways,
    /// What proxies say.
    Proxies,
    /// Rules and destinations.
    VirtualServices,
}

impl Section {
    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Files => "Files and objects",
            Self::Secrets => "Secrets",
            Self::Gateways => "Gateways",
            Self::Proxies => "Proxies",
            Self::VirtualServices => "VirtualServices",
        }
    }
}

/// `Variant = "word" [severities]: "what it means" => "what to do";`
macro_rules! codes {
    ($($section:ident {
        $($variant:ident = $word:literal [$($severity:ident),*]: $means:literal => $remedy:literal;)*
    })*) => {
        /// What a finding says, as a word that scripts may rely on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $means] $variant,)*)*
        }

        impl Code {
            /// All of them, as the page lists them.
            pub const ALL: &[Self] = &[$($(Self::$variant,)*)*];

            /// The word: kebab-case, and it never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$variant => $word,)*)*
                }
            }

            /// What is to be said of it.
            #[must_use]
            pub fn explanation(self) -> Explanation {
                match self {
                    $($(Self::$variant => Explanation {
                        section: Section::$section,
                        severities: &[$(Severity::$severity),*],
                        means: $means,
                        remedy: $remedy,
                    },)*)*
                }
            }
        }
    };
}

codes! {
    Files {
        Unreadable = "unreadable" [Error]: "the file or folder cannot be read" => "give the agent the right to read it";
        LinkLoop = "link-loop" [Error]: "links lead in a circle" => "repair the link";
        TooManyLinks = "too-many-links" [Error]:
            "links lead to one place by more than 16 ways, or to more than 20,000 files and folders outside the directory"
            => "link what is meant, not what is around it";
        NotAFile = "not-a-file" [Error]: "a FIFO, socket or device stands where a file should" => "put a file there";
        FileTooLarge = "file-too-large" [Error]: "a manifest above 8 MB or 50,000 documents, a PEM file above 1 MB" => "split it";
        InvalidUtf8 = "invalid-utf8" [Error]: "the manifest is not text" => "save it as UTF-8";
        InvalidYaml = "invalid-yaml" [Error]: "the document cannot be parsed" => "the message names the line";
        InvalidObject = "invalid-object" [Error]:
            "a field has the wrong type, a name is not one, base64 is not base64" => "`field` names the place";
        UnreadPair = "unread-pair" [Warning]:
            "a folder with `privkey.pem` and `fullchain.pem` or `cert.pem`: a folder is a Secret by `tls.key` and `tls.crt`"
            => "link the files by those names";
        NotAnObject = "not-an-object" [Error]:
            "a document without `kind` and `apiVersion`; it may be cut off, so the file's objects stay"
            => "complete it";
        DuplicateObject = "duplicate-object" [Error]:
            "two files have the same object; the first in path order stands" => "remove one";
        UnknownField = "unknown-field" [Warning]: "nobody knows this field" => "look for a typing error";
        SkippedKind = "skipped-kind" [Info]: "a kind that Sealgate does not read" => "nothing";
    }
    Secrets {
        NoKey = "no-key" [Error]: "a certificate without a key" => "add the key";
        NoCertificate = "no-certificate" [Error]: "a key without a certificate" => "add the certificate";
        BadPem = "bad-pem" [Error]: "a value is not PEM, or a block of it is cut off or broken" => "write it again";
        TooLarge = "too-large" [Error]:
            "a chain above 64 KB or a bundle above 1 MB" => "clients take no larger chain; remove what is not needed";
        EncryptedKey = "encrypted-key" [Error]: "the key asks for a password" => "`openssl pkey -in KEY -out KEY`";
        SeveralKeys = "several-keys" [Error]:
            "several private keys, and not exactly one belongs to the certificate" => "leave the certificate's own";
        BadKey = "bad-key" [Error]: "the key cannot be read" => "write it again";
        UnsupportedKey = "unsupported-key" [Error]:
            "an algorithm, size or curve that Envoy refuses"
            => "RSA of 2048 bits and more, P-256, P-384, P-521, Ed25519";
        KeyMismatch = "key-mismatch" [Error]: "the key is another certificate's" => "replace both together";
        BadCertificate = "bad-certificate" [Error]:
            "a certificate cannot be read, or Envoy refuses it" => "the message says why";
        NoName = "no-name" [Error]: "neither a DNS, IP or URI name nor a common name" => "issue it with a DNS name";
        BadCommonName = "bad-common-name" [Error]: "the common name is empty or not text" => "issue it again";
        MustStaple = "must-staple" [Error]: "it demands an OCSP staple, and there is no good one" => "renew the staple";
        BadCrl = "bad-crl" [Error]:
            "a revocation list that would lock every client out" => "use the list of the bundle's own CA";
        Expired = "expired" [Error, Warning]:
            "a bundle without any valid certificate, or `--refuse-expired`; as a warning, a leaf that is served on"
            => "renew it";
        StrictName = "strict-name" [Error]: "`--strict-names`" => "rename it";
        Deleted = "deleted" [Error]:
            "a Gateway names a Secret that is gone, or that holds no certificate any more; the last good version is \
             served on"
            => "bring it back, or change the Gateway";
        TrustFallback = "trust-fallback" [Warning]:
            "`NAME-cacert` is gone, and `ca.crt` of `NAME` is trusted in its place"
            => "bring it back, or take `ca.crt` out of `NAME`";
        EmptyValues = "empty-values" []:
            "not there yet: the values are empty" => "whoever made the Secret will fill it";
        ExpiresSoon = "expires-soon" [Warning]:
            "the last tenth of the life of a certificate, CA, revocation list or OCSP staple has begun, or its last 30 \
             days" => "renew it";
        NeverServedType = "never-served-type" []: "a service account's token or a Helm release" => "nothing";
        NoCertificateKeys = "no-certificate-keys" []: "holds no certificate" => "nothing";
        NotYetValid = "not-yet-valid" [Error, Warning]:
            "the time of the certificate, or of all CAs of a bundle, has not come; an error with `--refuse-expired`, \
             until it comes" => "check the clock of whoever issued it";
        WeakSignature = "weak-signature" [Warning]: "MD5 or SHA-1, which clients refuse" => "issue it again";
        ChainOrder = "chain-order" [Warning]: "the leaf is not first; it is served first" => "nothing";
        StapleDropped = "staple-dropped" [Warning]:
            "the OCSP staple is of another certificate, expired or not one" => "renew the staple";
        CaExpired = "ca-expired" [Warning]: "one CA of the bundle has expired" => "remove it";
        CaNotYetValid = "ca-not-yet-valid" [Warning]:
            "one CA of the bundle is not valid yet: its clients are refused" => "check the clock of whoever issued it";
        CrlNotYetValid = "crl-not-yet-valid" [Warning]:
            "a revocation list that is not valid yet: Envoy refuses every client by it" => "wait, or publish an earlier one";
        CrlExpired = "crl-expired" [Warning]: "Envoy refuses every client by an expired list" => "renew the list";
        CrlPartial = "crl-partial" [Warning]:
            "a CA of the bundle has no list: its clients are refused" => "add its list";
    }
    Gateways {
        NotSelected = "not-selected" [Info]:
            "the Gateway's `selector` does not fit this gateway's labels (`--gateway-labels`), so another one serves it, or none"
            => "check the selector";
        NoServers = "no-servers" [Error]: "`servers` is empty" => "add one";
        NoHosts = "no-hosts" [Error]:
            "a server, or a VirtualService that is bound to a Gateway, has no host" => "add one";
        BadHost = "bad-host" [Error]: "not a host name or wildcard" => "`*.` may only stand in front";
        BadPort = "bad-port" [Error]: "not from 1 to 65535" => "";
        PortCollision = "port-collision" [Error]:
            "a plain server on a port that others have for TLS, or the other way round; or a port where `--port-map` binds \
             another, or that is an admin interface's"
            => "give it another port";
        HostCollision = "host-collision" [Error]:
            "another server has this host; whoever had it first keeps it, and the server has its other hosts"
            => "remove it from one";
        HostReserved = "host-reserved" [Error]:
            "the host lies within a wildcard that the operator keeps for other namespaces"
            => "ask the operator for `NAMESPACE/HOST` in its server, or for a line of `--tenancy-policy`";
        NotAllowed = "not-allowed" [Error]:
            "`--tenancy-policy` keeps the host or port for other namespaces" => "ask the operator";
        SecretNotGranted = "secret-not-granted" [Error]:
            "the Secret does not say that Gateways of this namespace may name it"
            => "annotate it with `sealgate.dev/allowed-namespaces`, or list it in `--tenancy-policy`";
        TlsOnPlainPort = "tls-on-plain-port" [Error]:
            "`tls` with more than `httpsRedirect` on a server whose protocol is plain"
            => "protocol HTTPS, or leave `tls` out";
        AddressAsServerName = "address-as-server-name" [Warning]:
            "an IP address as a host of an HTTPS server: clients send no server name (SNI) for an address, so none finds the \
             server by it"
            => "use the host `*`";
        NoSuiteForVersion = "no-suite-for-version" [Warning]:
            "TLS 1.0 or 1.1 is allowed, and no cipher suite of the server works with it"
            => "name such suites, or allow TLS 1.2 and later alone";
        NoTls = "no-tls" [Error]: "an HTTPS server without `tls`" => "add it";
        NoCredentialName = "no-credential-name" [Error]:
            "certificates come from a Secret, and none is named" => "set `credentialName`";
        BadCredentialName = "bad-credential-name" [Error]:
            "not a name that a Secret can have" => "lower-case letters, digits, `-` and `.`";
        BadCertificatePin = "bad-certificate-pin" [Error]:
            "a pin of a client's certificate that Envoy refuses"
            => "`verifyCertificateSpki`: 44 letters of base64; `verifyCertificateHash`: 64 hexadecimal digits";
        UnusableSuites = "unusable-suites" [Warning]:
            "no cipher suite of the server is for the kind of key that its certificates have"
            => "name suites for that kind, ECDHE-RSA-... or ECDHE-ECDSA-..., or leave `cipherSuites` out";
        DoubledCertificate = "doubled-certificate" [Warning]:
            "two certificates of one server with the same names and one kind of key: only the first is shown"
            => "remove one; `credentialNames` is for RSA beside ECDSA";
        CredentialNotReady = "credential-not-ready" [Error, Warning]:
            "the Secret is not there, or bad; connections are refused unless the proxy still holds it, or another certificate of \
             the server is there"
            => "create or repair the Secret";
        BadTlsVersion = "bad-tls-version" [Error]:
            "not a TLS version, or the lowest version is above the highest" => "`TLSV1_2` or `TLSV1_3`";
        BadCipherSuite = "bad-cipher-suite" [Error]:
            "Envoy cannot read the list of cipher suites, or nothing is left of it" => "see the message";
        BadIdentity = "bad-identity" [Error]:
            "the annotation `sealgate.dev/identity` cannot be read, or has a key or word that nobody knows"
            => "see the message";
        BadCertificates = "bad-certificates" [Error]:
            "the annotation `sealgate.dev/certificates` is none of `auto`, `eager` and `onDemand`" => "see the message";
        BadEscapedSlashes = "bad-escaped-slashes" [Error]:
            "the annotation `sealgate.dev/escaped-slashes` is none of `keep`, `reject`, `redirect` and `unescape`"
            => "see the message";
        NotCarriedOut = "not-carried-out" [Error, Warning]:
            "a field that Sealgate knows and does not carry out; an error where leaving it out would be wrong"
            => "remove it";
    }
    Proxies {
        InvalidForProxy = "invalid-for-proxy" [Error]:
            "Envoy would refuse what was made of it, so it is not sent: proxies go on with the version before it"
            => "the message names the field and its rule; tell us, for the object should have been refused";
        RefusedByProxy = "refused-by-proxy" [Error]:
            "Envoy refuses what was made of it, and goes on with what it has; everything else reaches it"
            => "the message has Envoy's reason; unless it is the machine's, such as a port that cannot be bound, tell us, for \
                it should have been refused before";
    }
    VirtualServices {
        BehindOthers = "behind-others" [Warning]:
            "another namespace had rules for the host first, and all of them come before these"
            => "let the owner delegate paths to this VirtualService, or use a host of its own";
        NoRules = "no-rules" [Error]: "a VirtualService without rules" => "add one";
        BadGatewayName = "bad-gateway-name" [Error]:
            "not a name that a Gateway can have" => "`NAME`, `NAMESPACE/NAME` or `NAME.NAMESPACE`";
        BadRegex = "bad-regex" [Error]: "not RE2 syntax, or too large" => "";
        EmptyMatch = "empty-match" [Error]:
            "a condition without exact, prefix or regex, or an empty regex or prefix; an empty prefix is good for `uri` alone" => "leave it out";
        AmbiguousMatch = "ambiguous-match" [Error]: "more than one of exact, prefix and regex" => "choose one";
        InvalidHeaderName = "invalid-header-name" [Error]: "not a header's name" => "";
        InvalidHeaderValue = "invalid-header-value" [Error]: "a control character in a header's value or a host" => "";
        NoAction = "no-action" [Error]: "none of route, redirect, directResponse" => "add one";
        AmbiguousAction = "ambiguous-action" [Error]: "more than one of them" => "choose one";
        NoDestination = "no-destination" [Error]: "a destination without a host" => "";
        BadDestination = "bad-destination" [Error]:
            "a host, subset, port or delegate that no service can have" => "see the message";
        NoWeight = "no-weight" [Error]: "every weight is 0" => "";
        BadWeight = "bad-weight" [Error]: "a negative weight" => "";
        AmbiguousMirror = "ambiguous-mirror" [Error]: "`mirror` and `mirrors`" => "choose one";
        AmbiguousRewrite = "ambiguous-rewrite" [Error]: "`uri` and `uriRegexRewrite`" => "choose one";
        BadRewrite = "bad-rewrite" [Error]:
            "a rewrite that says nothing, or a regex rewrite whose template names a group that is not there, or ends in a \
             backslash"
            => "";
        AmbiguousAuthority = "ambiguous-authority" [Error]:
            "the host is set in more than one place of one level" => "choose one";
        BadPath = "bad-path" [Error]: "a path holds visible ASCII alone" => "encode the rest as %XX";
        BadDuration = "bad-duration" [Error]: "not a duration such as `1.5s`, or below 1 ms" => "";
        BadRetries = "bad-retries" [Error]:
            "`attempts` or `retryOn` cannot be read, or something is said of retries and there are no attempts" => "";
        BadRedirect = "bad-redirect" [Error]:
            "a redirect that says nothing; a code, scheme, port or host that it cannot have; `prefixRewrite` where no prefix is \
             matched"
            => "";
        BadStatus = "bad-status" [Error]:
            "the status of a `directResponse` or an abort is not from 200 to 599, or not one of gRPC's names; or an abort has one \
             that allows no body"
            => "";
        BadBody = "bad-body" [Error]: "the body is not one of string and base64 bytes, or a 204, 205 or 304 has one" => "";
        BadFault = "bad-fault" [Error]:
            "a fault with neither delay nor abort, a delay without `fixedDelay`, an exponential delay, an abort \
             without a status"
            => "";
        BadPercentage = "bad-percentage" [Error]: "a share that is not from 0 to 100" => "";
        BadCors = "bad-cors" [Error]: "`unmatchedPreflights` is neither FORWARD nor IGNORE" => "";
        BadDelegate = "bad-delegate" [Error]:
            "a delegate without a name, or one that delegates further" => "one level is all there is";
        UnknownDelegate = "unknown-delegate" [Error]:
            "no VirtualService of this name that has no hosts; the rule is left out"
            => "create it, without hosts and gateways";
        DelegateNotExported = "delegate-not-exported" [Error]:
            "`exportTo` of the delegate keeps it from its root; the rule is left out" => "add the root's namespace";
        DelegateConflict = "delegate-conflict" [Error]:
            "the conditions of a delegate's rule are not within its root's; the rule is left out"
            => "begin its prefix with the root's";
        NoEffect = "no-effect" [Warning]:
            "a fault without a percentage; what needs an upstream, on a redirect or direct response; `httpsRedirect` of an HTTPS \
             server; a cipher suite of TLS 1.3"
            => "remove it, or complete it";
        ForbiddenHeader = "forbidden-header" [Error]:
            "a header operation on what the gateway tells of clients, what steers it or Envoy, or what frames messages"
            => "remove the operation";
        OverBudget = "over-budget" [Error]:
            "the namespace would use more than its share of what all namespaces have; the last good version is served"
            => "use less, or ask the operator for more (`--budgets`)";
        NearBudget = "near-budget" [Warning]:
            "the namespace uses four fifths of a budget" => "ask the operator for more before it is used up";
        OverLimit = "over-limit" [Error]:
            "more, or longer, than is taken of this field; the message names the limit" => "split the rule, or shorten it";
        HeaderDropped = "header-dropped" [Warning]: "names that start with `:` and `host` cannot be set here" => "";
        AmbiguousPort = "ambiguous-port" [Warning]:
            "the service has several ports and the destination names none" => "name one";
        UnknownDestination = "unknown-destination" [Warning]:
            "no Service or ServiceEntry of this name: requests are answered with 503, and copies go nowhere" => "create it";
        BarredAddress = "barred-address" [Warning]:
            "an endpoint on the gateway's own machine, or without an address of its own; no request is sent there"
            => "[allow it](tenancy.md#addresses), if it is meant";
        ForeignService = "foreign-service" [Error]:
            "a ServiceEntry or DestinationRule for a Service of another namespace; it does nothing"
            => "[move it](tenancy.md#services) to the Service's namespace";
        BadService = "bad-service" [Error]:
            "a ServiceEntry or DestinationRule with a host, port, address or weight that Envoy refuses"
            => "see the message";
        UpstreamTls = "upstream-tls" [Error, Warning]:
            "a DestinationRule asks for TLS towards the upstream, which is not carried out; its requests would go in plain text, so \
             they are answered with 503"
            => "send to a port in plain text, with `mode: DISABLE` there";
        UnknownPort = "unknown-port" [Warning]: "the service has no such port: requests are answered with 503, and copies go nowhere" => "";
        UnknownSubset = "unknown-subset" [Warning]: "no DestinationRule has this subset: all endpoints are used" => "";
        SubsetNotCarriedOut = "subset-not-carried-out" [Warning]:
            "subsets select endpoints of a ServiceEntry alone, for those of a Service carry no labels: all of them \
             are used"
            => "name the parts as Services of their own";
        DeadRule = "dead-rule" [Warning]:

            "earlier rules of the VirtualService take every request that this one matches, or `httpsRedirect` of a server does"
            => "[reorder](#dead-rule)";
        ClaimedPath = "claimed-path" [Warning]:
            "two VirtualServices claim the same path of a host; the older takes it"
            => "[leave it to one](#claimed-path)";
        ShadowedHost = "shadowed-host" [Warning]:
            "an older VirtualService takes every request for this host" => "[merge them](#shadowed-host)";
        UnservedHost = "unserved-host" [Warning]:
            "no server of its Gateways takes this host" => "[add it to a server](#unserved-host)";
        UnknownGateway = "unknown-gateway" [Warning]:
            "there is no Gateway of this name" => "[name its namespace](#unknown-gateway)";
        NoGateways = "no-gateways" [Info]:
            "a VirtualService without `gateways` is for a mesh alone: no gateway serves it"
            => "[name one](#no-gateways)";
        NotExported = "not-exported" [Warning]:
            "`exportTo` leaves the namespace of its Gateway out, which does not serve it" => "[add it](#not-exported)";
        DroppedMatch = "dropped-match" [Warning, Info]:
            "no Gateway carries this block out: it is for other clients, ports or Gateways"
            => "[see what it names](#dropped-match)";
        UnreachedCors = "unreached-cors" [Warning]:
            "a `corsPolicy` that no pre-flight reaches: they have method OPTIONS, and none of the headers of the request itself"
            => "add a rule for the same paths without these conditions, with the same `corsPolicy`";
        NeverMatches = "never-matches" [Warning]: "nothing meets this condition" => "[write it anew](#never-matches)";
        SlashDoubled = "slash-doubled" [Warning]:
            "a rewrite leaves two slashes where prefix and rest meet" => "[end both alike](#slash-doubled)";
        SlashDropped = "slash-dropped" [Warning]:
            "a rewrite leaves no slash where prefix and rest meet" => "[end both alike](#slash-dropped)";
        SlashMissing = "slash-missing" [Warning]:
            "the new path does not begin with a slash" => "[begin with one](#slash-missing)";
        ZeroWeight = "zero-weight" [Warning, Info]:
            "a destination gets no request, or every one against its weight" => "[give it a weight](#zero-weight)";
    }
}

impl Code {
    /// Whether it may come to be so without anybody's change, so that whoever wrote the object has to be told, be it a
    /// warning.
    #[must_use]
    pub fn comes_by_itself(self) -> bool {
        matches!(
            self,
            Self::Expired
                | Self::ExpiresSoon
                | Self::CaExpired
                | Self::CrlExpired
                | Self::StapleDropped
                | Self::TrustFallback
        )
    }
}

/// As the words: findings are listed in their order.
impl Ord for Code {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<ProblemCode> for Code {
    fn from(code: ProblemCode) -> Self {
        match code {
            ProblemCode::AmbiguousAction => Self::AmbiguousAction,
            ProblemCode::AmbiguousAuthority => Self::AmbiguousAuthority,
            ProblemCode::AmbiguousMatch => Self::AmbiguousMatch,
            ProblemCode::AmbiguousRewrite => Self::AmbiguousRewrite,
            ProblemCode::BadBody => Self::BadBody,
            ProblemCode::BadCors => Self::BadCors,
            ProblemCode::BadDelegate => Self::BadDelegate,
            ProblemCode::BadDuration => Self::BadDuration,
            ProblemCode::BadFault => Self::BadFault,
            ProblemCode::BadPath => Self::BadPath,
            ProblemCode::BadPercentage => Self::BadPercentage,
            ProblemCode::BadRedirect => Self::BadRedirect,
            ProblemCode::BadRegex => Self::BadRegex,
            ProblemCode::BadRetries => Self::BadRetries,
            ProblemCode::BadRewrite => Self::BadRewrite,
            ProblemCode::BadStatus => Self::BadStatus,
            ProblemCode::BadWeight => Self::BadWeight,
            ProblemCode::EmptyMatch => Self::EmptyMatch,
            ProblemCode::ForbiddenHeader => Self::ForbiddenHeader,
            ProblemCode::OverLimit => Self::OverLimit,
            ProblemCode::HeaderDropped => Self::HeaderDropped,
            ProblemCode::InvalidHeaderName => Self::InvalidHeaderName,
            ProblemCode::InvalidHeaderValue => Self::InvalidHeaderValue,
            ProblemCode::NoAction => Self::NoAction,
            ProblemCode::NoDestination => Self::NoDestination,
            ProblemCode::NoEffect => Self::NoEffect,
            ProblemCode::NoWeight => Self::NoWeight,
            ProblemCode::NotCarriedOut => Self::NotCarriedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_word_is_its_variant_in_kebab_case_and_no_other_has_it() {
        let mut words = BTreeSet::new();
        for code in Code::ALL {
            let mut word = String::new();
            for letter in format!("{code:?}").chars() {
                if letter.is_ascii_uppercase() && !word.is_empty() {
                    word.push('-');
                }
                word.push(letter.to_ascii_lowercase());
            }
            assert_eq!(code.as_str(), word);
            assert!(words.insert(code.as_str()), "{code}");
        }
    }

    #[test]
    fn they_are_listed_in_the_order_of_their_words() {
        let mut codes = Code::ALL.to_vec();
        codes.sort();
        assert!(codes.is_sorted_by_key(|code| code.as_str()));
    }

    #[test]
    fn json_has_the_word() {
        assert_eq!(
            serde_json::to_string(&Code::KeyMismatch).unwrap(),
            "\"key-mismatch\""
        );
    }
}
