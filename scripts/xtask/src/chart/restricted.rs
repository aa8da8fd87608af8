//! What the Pod Security level "restricted" requires of a pod.
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>

use serde_json::Value;

const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Why a namespace that enforces the level would reject a pod with this `spec`.
pub(super) fn offences(pod: &Value) -> Vec<String> {
    let mut offences = Vec::new();
    for name in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[name] == true {
            offences.push(name.to_owned());
        }
    }
    for volume in list(&pod["volumes"]) {
        let kinds = volume.as_object().into_iter().flat_map(|volume| volume.keys());
        let foreign = kinds.filter(|kind| *kind != "name" && !VOLUMES.contains(&kind.as_str()));
        offences.extend(foreign.map(|kind| format!("volume {}: {kind}", volume["name"])));
    }
    for container in containers(pod) {
        let of = |offence: &str| format!("container {}: {offence}", container["name"]);
        offences.extend(of_container(pod, container).into_iter().map(of));
    }
    offences
}

pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["initContainers"])
        .iter()
        .chain(list(&pod["containers"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn of_container(pod: &Value, container: &Value) -> Vec<&'static str> {
    let own = &container["securityContext"];
    // A container's setting takes precedence over its pod's.
    let either = |name: &str| match &own[name] {
        Value::Null => pod["securityContext"][name].clone(),
        given => given.clone(),
    };
    let drops_all = list(&own["capabilities"]["drop"])
        .iter()
        .any(|name| name == "ALL");
    let adds = list(&own["capabilities"]["add"])
        .iter()
        .any(|name| name != "NET_BIND_SERVICE");
    let seccomp = &either("seccompProfile")["type"];
    let rules = [
        ("privileged", own["privileged"] == true),
        (
            "allowPrivilegeEscalation",
            own["allowPrivilegeEscalation"] != false,
        ),
        ("capabilities.drop", !drops_all),
        ("capabilities.add", adds),
        ("runAsNonRoot", either("runAsNonRoot") != true),
        ("runAsUser", either("runAsUser") == 0),
        (
            "seccompProfile",
            seccomp != "RuntimeDefault" && seccomp != "Localhost",
        ),
        (
            "hostPort",
            list(&container["ports"])
                .iter()
                .any(|port| port["hostPort"].as_u64().unwrap_or_default() > 0),
        ),
    ];
    let broken = rules.into_iter().filter(|(_, is_broken)| *is_broken);
    broken.map(|(name, _)| name).collect()
}
