//! The commands of the walkthrough: those of `docs/journeys/kubernetes.md`, which has these and no others (a test
//! compares them).

pub(super) const DEFINITIONS: &str = "kubectl apply --server-side -f envoy/kubernetes/crds.yaml";
pub(super) const NAMESPACE: &str = "kubectl create namespace istio-system";
pub(super) const RESTRICTED: &str =
    "kubectl label namespace istio-system pod-security.kubernetes.io/enforce=restricted";
pub(super) const INSTALL: &str = "helm install sealgate envoy/helm/sealgate --namespace istio-system";
pub(super) const READY: &str = "kubectl -n istio-system rollout status deployment/sealgate --timeout=300s";
pub(super) const FIRST_SECRET: &str = "kubectl create -n istio-system secret tls myexample-credential --cert aliyun.com.crt --key aliyun.com.key";
pub(super) const APPLICATIONS: [&str; 5] = [
    "kubectl create configmap mynginx-configmap --from-file=nginx.conf=envoy/kubernetes/example/nginx.conf",
    "kubectl apply -f envoy/kubernetes/example/nginx.yaml",
    "kubectl apply -f envoy/kubernetes/example/httpbin.yaml",
    "kubectl apply -f envoy/kubernetes/example/gateway.yaml",
    "kubectl apply -f envoy/kubernetes/example/routes.yaml",
];
pub(super) const APPLICATIONS_READY: [&str; 2] = [
    "kubectl rollout status deployment/myexampleapp --timeout=300s",
    "kubectl rollout status deployment/httpbin --timeout=300s",
];
pub(super) const ADDRESS: &str =
    "kubectl -n istio-system get service sealgate -o jsonpath={.status.loadBalancer.ingress[0].ip}";
pub(super) const SECOND_SECRET: &str = "kubectl create -n istio-system secret tls new-istio-ingressgateway-certs --cert aliyun.com.crt --key aliyun.com.key";
/// Applies a changed manifest from standard input.
pub(super) const APPLY: &str = "kubectl apply -f -";
pub(super) const CERTS: &str = "kubectl -n istio-system exec deployment/sealgate -c agent -- sealgate certs";
pub(super) const UPGRADE: &str = "helm upgrade sealgate envoy/helm/sealgate --namespace istio-system --reset-then-reuse-values --set envoy.clusterStats=all";
pub(super) const RESTART: &str = "kubectl -n istio-system rollout restart deployment/sealgate";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::journey::page::blocks;

    const PAGE: &str = "docs/journeys/kubernetes.md";

    /// The commands of a block that access the cluster, without what a shell does with their output.
    fn of_the_cluster(script: &str) -> Vec<String> {
        let whole = script.replace("\\\n", " ");
        let parts = whole.lines().flat_map(|line| line.split(" | "));
        parts
            .filter_map(|part| {
                let at = [part.find("kubectl "), part.find("helm ")]
                    .into_iter()
                    .flatten()
                    .min()?;
                let command = part[at..].trim_end_matches(')');
                Some(command.split_whitespace().collect::<Vec<_>>().join(" "))
            })
            .collect()
    }

    #[test]
    fn the_page_has_the_commands_that_are_played_and_no_others() {
        let path = crate::root().unwrap().join(PAGE);
        let blocks = blocks(&fs::read_to_string(path).unwrap()).unwrap();
        let typed: BTreeSet<String> = blocks
            .iter()
            .filter(|block| block.is_run)
            .flat_map(|block| of_the_cluster(&block.script))
            .collect();
        let single = [
            DEFINITIONS,
            NAMESPACE,
            RESTRICTED,
            INSTALL,
            READY,
            FIRST_SECRET,
            ADDRESS,
            SECOND_SECRET,
            APPLY,
            CERTS,
            UPGRADE,
            RESTART,
        ];
        let played: BTreeSet<String> = single
            .into_iter()
            .chain(APPLICATIONS)
            .chain(APPLICATIONS_READY)
            .map(str::to_owned)
            .collect();
        assert_eq!(typed, played);
    }

    #[test]
    fn a_command_is_found_among_what_a_shell_does() {
        assert_eq!(
            of_the_cluster("a=$(kubectl get x \\\n  -o y)\nsed s/a/b/ f | kubectl apply -f -\ncurl z"),
            ["kubectl get x -o y", "kubectl apply -f -"]
        );
    }
}
