//! The codes of findings: each with its word, how serious it is, what it means and what to do. `docs/reference/findings.md` shows
//! them (`cargo xtask findings`).

use std::cmp::Ordering;
use std::fmt;

use sealgate_core::convert::ProblemCode;
use sealgate_core::plugin::PluginCode;
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
        Unreadable = "unreadable" [Error]: "the file or folder cannot be read" => "give the agent permission to read it";
        LinkLoop = "link-loop" [Error]: "symbolic links form a loop" => "fix the link";
        TooManyLinks = "too-many-links" [Error]:
            "more than 16 links lead to the same place, or links lead to more than 20,000 files and folders outside \
             the directory"
            => "link only the files that you need, not the folders around them";
        NotAFile = "not-a-file" [Error]: "the path is a FIFO, socket or device" => "replace it with a file";
        FileTooLarge = "file-too-large" [Error]:
            "a manifest is larger than 8 MB or has more than 50,000 documents, or a PEM file is larger than 1 MB"
            => "split it";
        InvalidUtf8 = "invalid-utf8" [Error]: "the manifest is not UTF-8 text" => "save it as UTF-8";
        InvalidYaml = "invalid-yaml" [Error]: "the document cannot be parsed" => "fix the line that the message names";
        InvalidObject = "invalid-object" [Error]:
            "a field has the wrong type, a name is invalid, or a value is not base64" => "fix the field that `field` names";
        UnreadPair = "unread-pair" [Warning]:
            "a folder has `privkey.pem` and `fullchain.pem` or `cert.pem`, but a Secret needs `tls.key` and `tls.crt`"
            => "link the files under those names";
        NotAnObject = "not-an-object" [Error]:
            "a document has no `kind` or `apiVersion`; it may be truncated, so the file's previous objects stay in use"
            => "complete it";
        DuplicateObject = "duplicate-object" [Error]:
            "an object is defined twice; the first definition, by path and then by line, is used" => "remove one";
        BadPluginConfig = "bad-plugin-config" [Error]:
            "the configuration of a filter without an agent is not JSON or YAML, has an unknown key, or a value of the wrong \
             type; the filter rejects it"
            => "fix the place that `field` names; see [its keys](plugin-config.md)";
        UnknownField = "unknown-field" [Warning]: "the field does not exist" => "check its spelling";
        NeedsEnvoy = "needs-envoy" [Warning]:
            "for a filter without an agent: Envoy must be configured for this by hand" => "see [the keys](plugin-config.md)";
        SkippedKind = "skipped-kind" [Info]: "Sealgate does not use objects of this kind" => "nothing";
    }
    Secrets {
        NoKey = "no-key" [Error]: "there is a certificate but no key" => "add the key";
        NoCertificate = "no-certificate" [Error]: "there is a key but no certificate" => "add the certificate";
        BadPem = "bad-pem" [Error]: "a value is not PEM, or a PEM block is truncated or malformed" => "write it again";
        TooLarge = "too-large" [Error]:
            "a certificate chain is larger than 64 KB, or a trust bundle larger than 1 MB"
            => "clients accept no larger chain; remove the certificates that are not needed";
        EncryptedKey = "encrypted-key" [Error]: "the key is encrypted with a password" => "`openssl pkey -in KEY -out KEY`";
        SeveralKeys = "several-keys" [Error]:
            "there are several private keys, and not exactly one of them matches the certificate"
            => "keep only the certificate's key";
        BadKey = "bad-key" [Error]: "the key cannot be parsed" => "write it again";
        UnsupportedKey = "unsupported-key" [Error]:
            "Envoy rejects the key's algorithm, size or curve"
            => "use RSA with at least 2048 bits, P-256, P-384, P-521 or Ed25519";
        KeyMismatch = "key-mismatch" [Error]: "the key does not match the certificate" => "replace both together";
        BadCertificate = "bad-certificate" [Error]:
            "a certificate cannot be parsed, or Envoy rejects it" => "the message says why";
        NoName = "no-name" [Error]: "the certificate has no DNS, IP or URI name and no common name" => "issue it with a DNS name";
        BadCommonName = "bad-common-name" [Error]: "the common name is empty or not text" => "issue the certificate again";
        MustStaple = "must-staple" [Error]:
            "the certificate requires an OCSP staple, and there is no valid one" => "renew the staple";
        BadCrl = "bad-crl" [Error]: "the revocation list (CRL) would reject every client" => "use the CRL of the bundle's own CA";
        Expired = "expired" [Error, Warning]:
            "error: no certificate of the bundle is valid, or the certificate is rejected because of \
             `--refuse-expired`; warning: the served certificate has expired and stays in use"
            => "renew it";
        StrictName = "strict-name" [Error]: "the name is rejected because of `--strict-names`" => "rename the Secret";
        Deleted = "deleted" [Error]:
            "a Gateway names a Secret that was deleted or no longer has a certificate; the last good version stays in \
             use"
            => "restore the Secret, or change the Gateway";
        TrustFallback = "trust-fallback" [Warning]:
            "`NAME-cacert` was deleted, and `ca.crt` of `NAME` is trusted instead"
            => "restore it, or remove `ca.crt` from `NAME`";
        EmptyValues = "empty-values" []: "the values are still empty" => "nothing: the creator of the Secret will fill them in";
        ExpiresSoon = "expires-soon" [Warning]:
            "a certificate, CA, revocation list (CRL) or OCSP staple is in the last tenth of its lifetime, or in its \
             last 30 days if that is shorter"
            => "renew it";
        NeverServedType = "never-served-type" []: "the Secret is a service account token or a Helm release" => "nothing";
        NoCertificateKeys = "no-certificate-keys" []: "the Secret has no certificate" => "nothing";
        NotYetValid = "not-yet-valid" [Error, Warning]:
            "the certificate, or every CA of the bundle, is not valid yet; an error with `--refuse-expired`, until it \
             becomes valid"
            => "check the issuer's clock";
        WeakSignature = "weak-signature" [Warning]:
            "the certificate is signed with MD5 or SHA-1, which clients reject" => "issue it again";
        ChainOrder = "chain-order" [Warning]:
            "the leaf certificate is not first in the chain; Sealgate serves it first" => "nothing";
        StapleDropped = "staple-dropped" [Warning]:
            "the OCSP staple is invalid, expired or for another certificate" => "renew the staple";
        CaExpired = "ca-expired" [Warning]: "a CA of the bundle has expired" => "remove it";
        CaNotYetValid = "ca-not-yet-valid" [Warning]:
            "a CA of the bundle is not valid yet, so its clients are rejected" => "check the issuer's clock";
        CrlNotYetValid = "crl-not-yet-valid" [Warning]:
            "a revocation list (CRL) is not valid yet, so Envoy rejects every client"
            => "wait, or publish a CRL that is valid now";
        CrlExpired = "crl-expired" [Warning]:
            "a revocation list (CRL) has expired, so Envoy rejects every client" => "renew the CRL";
        CrlPartial = "crl-partial" [Warning]:
            "a CA of the bundle has no revocation list (CRL), so its clients are rejected" => "add its CRL";
    }
    Gateways {
        NotSelected = "not-selected" [Info]:
            "the `selector` of the Gateway, or the `workloadSelector` of the DestinationRule, does not match this gateway's \
             labels (`--gateway-labels`), so the object does not apply to this gateway"
            => "check the selector";
        NoServers = "no-servers" [Error]: "`servers` is empty" => "add a server";
        NoHosts = "no-hosts" [Error]: "a server, or a VirtualService that is bound to a Gateway, has no host" => "add a host";
        BadHost = "bad-host" [Error]: "the value is not a host name or wildcard" => "use `*.` only at the start";
        BadPort = "bad-port" [Error]: "the port is not from 1 to 65535" => "";
        PortCollision = "port-collision" [Error]:
            "servers of another kind (plain HTTP, TLS or TCP) use the port, `--port-map` binds another port to it, or it is \
             an admin port"
            => "use another port";
        HostCollision = "host-collision" [Error]:
            "another server claimed this host first and keeps it; this server serves its other hosts"
            => "remove the host from one of them";
        HostReserved = "host-reserved" [Error]:
            "the host is within a wildcard that the operator reserves for other namespaces"
            => "ask the operator for `NAMESPACE/HOST` in the operator's server, or for an entry in `--tenancy-policy`";
        NotAllowed = "not-allowed" [Error]:
            "`--tenancy-policy` reserves the host or port for other namespaces" => "ask the operator";
        SecretNotGranted = "secret-not-granted" [Error]:
            "the Secret does not allow Gateways of this namespace to use it"
            => "annotate it with `sealgate.dev/allowed-namespaces`, or list it in `--tenancy-policy`";
        TlsOnPlainPort = "tls-on-plain-port" [Error]:
            "a server with a plain-text protocol has `tls` with more than `httpsRedirect`, or a TCP server has `tls`"
            => "use the protocol HTTPS or TLS, or remove `tls`";
        AddressAsServerName = "address-as-server-name" [Warning]:
            "a host of a server with TLS, or one of `sniHosts`, is an IP address; clients send no server name (SNI) for an address, so none \
             reaches the server by it"
            => "use the host `*`";
        NoSuiteForVersion = "no-suite-for-version" [Warning]:
            "TLS 1.0 or 1.1 is allowed, but none of the server's cipher suites works with it"
            => "add such suites, or allow only TLS 1.2 and later";
        NoTls = "no-tls" [Error]: "a server of protocol HTTPS or TLS has no `tls`" => "add it";
        NoCredentialName = "no-credential-name" [Error]:
            "the server names no Secret for its certificate" => "set `credentialName`";
        BadCredentialName = "bad-credential-name" [Error]:
            "the value is not a valid Secret name" => "use lowercase letters, digits, `-` and `.`";
        BadCertificatePin = "bad-certificate-pin" [Error]:
            "Envoy rejects a pin of a client certificate"
            => "`verifyCertificateSpki`: 44 base64 characters; `verifyCertificateHash`: 64 hex digits";
        UnusableSuites = "unusable-suites" [Warning]:
            "none of the server's cipher suites works with the key type of its certificates"
            => "add suites for that key type, ECDHE-RSA-... or ECDHE-ECDSA-..., or remove `cipherSuites`";
        DoubledCertificate = "doubled-certificate" [Warning]:
            "two certificates of one server have the same names and key type; only the first is used"
            => "remove one; `credentialNames` is for RSA and ECDSA together";
        CredentialNotReady = "credential-not-ready" [Error, Warning]:
            "the Secret is missing or invalid; connections are refused, unless the proxy still holds it or the server \
             has another certificate"
            => "create or fix the Secret";
        BadTlsVersion = "bad-tls-version" [Error]:
            "the value is not a TLS version, or the minimum is higher than the maximum" => "use `TLSV1_2` or `TLSV1_3`";
        BadCipherSuite = "bad-cipher-suite" [Error]:
            "Envoy cannot parse the list of cipher suites, or the list selects none" => "see the message";
        BadIdentity = "bad-identity" [Error]:
            "the annotation `sealgate.dev/identity` cannot be parsed, or has an unknown key or value" => "see the message";
        BadCertificates = "bad-certificates" [Error]:
            "the annotation `sealgate.dev/certificates` is not `auto`, `eager` or `onDemand`" => "see the message";
        BadEscapedSlashes = "bad-escaped-slashes" [Error]:
            "the annotation `sealgate.dev/escaped-slashes` is not `keep`, `reject`, `redirect` or `unescape`"
            => "see the message";
        BadHttp3 = "bad-http3" [Error]:
            "the annotation `sealgate.dev/http3` is not `true` or `false`" => "see the message";
        NoHttp3 = "no-http3" [Warning]:
            "the Gateway asks for HTTP/3, and this server cannot have it: its certificates are on demand, it asks clients \
             for certificates, it does not allow TLS 1.3, or a certificate has an Ed25519 key; it serves HTTP/1.1 and \
             HTTP/2"
            => "see the message, or declare the server in a Gateway without `sealgate.dev/http3`";
        NotCarriedOut = "not-carried-out" [Error, Warning]:
            "Sealgate does not support this field; an error if ignoring it would be wrong" => "remove it";
    }
    Proxies {
        InvalidForProxy = "invalid-for-proxy" [Error]:
            "Envoy would reject the resource built from this object, so it is not sent; proxies keep the previous \
             version"
            => "please report this: Sealgate should have rejected the object. The message names the field and the rule";
        RefusedByProxy = "refused-by-proxy" [Error]:
            "Envoy rejects the resource built from this object and keeps the previous version; all other resources are \
             applied"
            => "the message has Envoy's reason; unless it is about the machine, such as a port that cannot be bound, \
                please report it: Sealgate should have rejected the object";
    }
    VirtualServices {
        BehindOthers = "behind-others" [Warning]:
            "another namespace had rules for the host first, and all of them are tried before these"
            => "ask the owner to delegate paths to this VirtualService, or use another host";
        NoRules = "no-rules" [Error, Warning]:
            "the VirtualService has no rules; as a warning, a filter without an agent answers 404 to all requests because it \
             has none"
            => "add one";
        BadGatewayName = "bad-gateway-name" [Error]:
            "the value is not a valid Gateway name" => "use `NAME`, `NAMESPACE/NAME` or `NAME.NAMESPACE`";
        NoServerNames = "no-server-names" [Error]:
            "a rule for TLS has no `match`, or one without `sniHosts`" => "name the server names that it is for";
        BadRegex = "bad-regex" [Error]: "the regex is not valid RE2 syntax, or is too large" => "";
        EmptyMatch = "empty-match" [Error]:
            "a condition has no exact, prefix or regex, or has an empty regex or prefix; only `uri` may have an empty \
             prefix"
            => "remove it";
        AmbiguousMatch = "ambiguous-match" [Error]: "a condition has more than one of exact, prefix and regex" => "keep one";
        InvalidHeaderName = "invalid-header-name" [Error]: "the value is not a valid header name" => "";
        InvalidHeaderValue = "invalid-header-value" [Error]: "a header value or host contains a control character" => "";
        NoAction = "no-action" [Error]: "the rule has no route (or, for HTTP, redirect or directResponse)" => "add one";
        AmbiguousAction = "ambiguous-action" [Error]:
            "the rule has more than one of route, redirect and directResponse" => "keep one";
        NoDestination = "no-destination" [Error]: "a destination has no host" => "";
        BadDestination = "bad-destination" [Error]:
            "no service can have this host, subset, port or delegate" => "see the message";
        NoWeight = "no-weight" [Error]: "all weights are 0" => "";
        BadWeight = "bad-weight" [Error]: "a weight is negative" => "";
        AmbiguousMirror = "ambiguous-mirror" [Error]: "the rule has both `mirror` and `mirrors`" => "keep one";
        AmbiguousRewrite = "ambiguous-rewrite" [Error]: "the rewrite has both `uri` and `uriRegexRewrite`" => "keep one";
        BadRewrite = "bad-rewrite" [Error]:
            "a rewrite is empty, or the template of a regex rewrite names a group that does not exist or ends in a \
             backslash"
            => "";
        AmbiguousAuthority = "ambiguous-authority" [Error]:
            "the host is set in more than one place at the same level" => "keep one";
        BadPath = "bad-path" [Error]: "the path contains characters other than visible ASCII" => "encode them as %XX";
        BadDuration = "bad-duration" [Error]: "the value is not a duration such as `1.5s`, or is less than 1 ms" => "";
        BadRetries = "bad-retries" [Error]:
            "`attempts` or `retryOn` is invalid, or retries are configured without attempts" => "";
        BadRedirect = "bad-redirect" [Error]:
            "a redirect is empty; has an invalid code, scheme, port or host; or has `prefixRewrite` without a prefix \
             match"
            => "";
        BadStatus = "bad-status" [Error]:
            "the status of a `directResponse` or an abort is not from 200 to 599 or not a gRPC status name, or an \
             abort's status allows no body"
            => "";
        BadBody = "bad-body" [Error]:
            "the body is not exactly one of a string and base64 bytes, or the status is 204, 205 or 304 and allows no \
             body"
            => "";
        BadFault = "bad-fault" [Error]:
            "a fault has no delay or abort, a delay has no `fixedDelay`, a delay is exponential, or an abort has no \
             status"
            => "";
        BadPercentage = "bad-percentage" [Error]: "a percentage is not from 0 to 100" => "";
        BadCors = "bad-cors" [Error]: "`unmatchedPreflights` is neither FORWARD nor IGNORE" => "";
        BadDelegate = "bad-delegate" [Error]: "a delegate has no name, or delegates further" => "delegate one level only";
        UnknownDelegate = "unknown-delegate" [Error]:
            "there is no VirtualService with this name and without hosts; the rule is left out"
            => "create it, without hosts and gateways";
        DelegateNotExported = "delegate-not-exported" [Error]:
            "the delegate's `exportTo` does not include its root's namespace; the rule is left out"
            => "add the root's namespace";
        DelegateConflict = "delegate-conflict" [Error]:
            "the conditions of a delegate's rule are not within its root's; the rule is left out"
            => "start its prefix with the root's prefix";
        NoEffect = "no-effect" [Warning]:
            "a fault without a percentage, an upstream setting on a redirect or direct response, `httpsRedirect` on an \
             HTTPS server, a TLS 1.3 cipher suite, or TLS settings where TLS is passed through"
            => "remove it, or complete it";
        ForbiddenHeader = "forbidden-header" [Error]:
            "a header operation changes a header that describes clients, controls the gateway or Envoy, or frames \
             messages"
            => "remove the operation";
        OverBudget = "over-budget" [Error]:
            "the namespace would exceed its budget, or all namespaces together theirs; the last good version stays in \
             use"
            => "use less, or ask the operator for more (`--budgets`)";
        NearBudget = "near-budget" [Warning]:
            "the namespace uses at least 80% of a budget" => "ask the operator for more before it runs out";
        OverLimit = "over-limit" [Error]:
            "a field is too long or has too many entries; the message names the limit" => "split or shorten the rule";
        HeaderDropped = "header-dropped" [Warning]: "`host`, and names that start with `:`, cannot be set here" => "";
        AmbiguousPort = "ambiguous-port" [Warning]: "the service has several ports, and the destination names none" => "name one";
        UnknownDestination = "unknown-destination" [Warning]:
            "there is no Service or ServiceEntry with this name: requests get 503, and mirrored requests are dropped"
            => "create it";
        BarredAddress = "barred-address" [Warning]:
            "an endpoint is on the gateway's own machine, or its address is invalid for an endpoint; no requests are \
             sent to it"
            => "[allow it](tenancy.md#addresses) if you mean it";
        ForeignService = "foreign-service" [Error]:
            "the ServiceEntry or DestinationRule is for a Service in another namespace, and has no effect"
            => "[move it](tenancy.md#services) to the Service's namespace";
        OtherClients = "other-clients" [Info]:
            "the DestinationRule is neither in the service's namespace, nor in the gateway's or the root namespace: as in \
             Istio, it applies to clients in its own namespace, and not to this gateway"
            => "[move it](upstreams.md#which-rule-applies) if the gateway should follow it";
        PlainToTlsPort = "plain-to-tls-port" [Warning]:
            "the port is for TLS by its name, protocol or `appProtocol` (`https`), and no DestinationRule asks for TLS: \
             requests are sent to it in plain text, as in Istio"
            => "add a DestinationRule with `tls.mode: SIMPLE`, or rename the port";
        BadService = "bad-service" [Error]:
            "a ServiceEntry or DestinationRule has a host, port, address or weight that Envoy rejects" => "see the message";
        BadPolicy = "bad-policy" [Error]:
            "a field of `trafficPolicy` has a value that Istio or Envoy rejects" => "see the message";
        UpstreamTls = "upstream-tls" [Error, Warning]:
            "a DestinationRule requires TLS to the upstream, and it cannot be set up: a field is not supported, or the \
             credential is missing; to avoid sending requests in plain text, Sealgate answers them with 503"
            => "see the message";
        UnknownPort = "unknown-port" [Warning]:
            "the service has no such port: requests get 503, and mirrored requests are dropped" => "";
        NoWorkload = "no-workload" [Warning]:
            "the `workloadSelector` of the ServiceEntry selects no WorkloadEntry in its namespace: requests get 503"
            => "compare the labels; Pods need a Service, or a WorkloadEntry each";
        UnknownSubset = "unknown-subset" [Warning]: "no DestinationRule defines this subset: all endpoints are used" => "";
        SubsetNotCarriedOut = "subset-not-carried-out" [Warning]:
            "a subset of a Service selects by the labels of its Pods, and these are not known: all endpoints are used"
            => "[let Sealgate read them](upstreams.md#subsets)";
        PodsUnknown = "pods-unknown" [Warning]:
            "`failoverPriority` of a Service names labels of its Pods, and these are not known: no endpoint has them"
            => "[let Sealgate read them](upstreams.md#subsets)";
        EmptySubset = "empty-subset" [Warning]:
            "no endpoint of the ServiceEntry has the labels of the subset, or no ready endpoint of the Service belongs to a Pod \
             that has them: requests get 503, and \
             mirrored requests are dropped"
            => "compare the labels";
        DeadRule = "dead-rule" [Warning]:
            "earlier rules of the VirtualService, or a server's `httpsRedirect`, match every request that this rule \
             matches"
            => "[reorder the rules](#dead-rule)";
        ClaimedPath = "claimed-path" [Warning]:
            "two VirtualServices claim the same path of a host; the older one gets the requests"
            => "[remove it from one](#claimed-path)";
        ShadowedHost = "shadowed-host" [Warning]:
            "an older VirtualService gets every request for this host" => "[merge them](#shadowed-host)";
        UnservedHost = "unserved-host" [Warning]:
            "no server of its Gateways serves this host" => "[add it to a server](#unserved-host)";
        UnreadRules = "unread-rules" [Warning]:
            "the servers for these hosts are of another kind: `http` rules need HTTP or HTTPS, `tls` rules TLS passthrough, \
             and `tcp` rules TCP or TLS that ends at the gateway"
            => "change the server's protocol or mode, or move the rules";
        UnknownGateway = "unknown-gateway" [Warning]:
            "there is no Gateway with this name" => "[add its namespace](#unknown-gateway)";
        NoGateways = "no-gateways" [Info]:
            "a VirtualService without `gateways` applies only to a mesh; no gateway serves it"
            => "[add a Gateway](#no-gateways)";
        NotExported = "not-exported" [Warning]:
            "`exportTo` does not include the Gateway's namespace, so the Gateway does not serve the VirtualService"
            => "[add the namespace](#not-exported)";
        DroppedMatch = "dropped-match" [Warning, Info]:
            "no Gateway uses this block: it is for other clients, ports or Gateways"
            => "[check what it names](#dropped-match)";
        UnreachedCors = "unreached-cors" [Warning]:
            "no preflight reaches this `corsPolicy`: preflights have the method OPTIONS and none of the actual \
             request's headers"
            => "add a rule for the same paths without these conditions and with the same `corsPolicy`";
        NeverMatches = "never-matches" [Warning]:
            "no request can meet this condition" => "[rewrite the condition](#never-matches)";
        SlashDoubled = "slash-doubled" [Warning]:
            "a rewrite produces two slashes between the prefix and the rest"
            => "[end both with a slash, or neither](#slash-doubled)";
        SlashDropped = "slash-dropped" [Warning]:
            "a rewrite produces no slash between the prefix and the rest"
            => "[end both with a slash, or neither](#slash-dropped)";
        SlashMissing = "slash-missing" [Warning]: "the new path does not start with a slash" => "[add the slash](#slash-missing)";
        ZeroWeight = "zero-weight" [Warning, Info]:
            "a destination gets no requests, or gets all of them despite its weight" => "[give it a weight](#zero-weight)";
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

impl From<PluginCode> for Code {
    fn from(code: PluginCode) -> Self {
        match code {
            PluginCode::Misread => Self::BadPluginConfig,
            PluginCode::BadIdentity => Self::BadIdentity,
            PluginCode::NoHosts => Self::NoHosts,
            PluginCode::BadHost => Self::BadHost,
            PluginCode::NoRules => Self::NoRules,
            PluginCode::BadDestination => Self::BadDestination,
            PluginCode::NotCarriedOut => Self::NotCarriedOut,
            PluginCode::NeedsEnvoy => Self::NeedsEnvoy,
            PluginCode::Rule(code) => code.into(),
        }
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
