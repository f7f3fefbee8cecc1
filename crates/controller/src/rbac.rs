//! What the controller may do in a cluster, and why: the one table that the manifests and the tests read.

/// Verbs on one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The API group; empty for the core one.
    pub group: &'static str,
    /// The resource, with its subresource.
    pub resource: &'static str,
    /// What is done to it.
    pub verbs: &'static [&'static str],
    /// The only object, where there is only one.
    pub name: Option<&'static str>,
    /// What for.
    pub reason: &'static str,
}

const fn rule(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    reason: &'static str,
) -> Rule {
    Rule { group, resource, verbs, name: None, reason }
}

/// What is owned: it is watched, made and kept in its form by server-side apply; `get` tells beforehand whether the name
/// is somebody else's.
const OWNED: &[&str] = &["get", "list", "watch", "create", "patch"];
/// Owned, and deleted by the controller itself: no longer wanted, to end before the topics, or made by somebody into
/// something that apply cannot undo.
const OWNED_AND_DELETED: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// In the namespaces that are watched: all of them, or those that are named.
pub const PIPELINES: &[Rule] = &[
    rule(
        "pricepipe.dev",
        "pricepipelines",
        &["get", "list", "watch", "patch"],
        "follow the pipelines, read one afresh before it is worked on, and set or remove the finalizer of those \
         whose deletionPolicy is Delete",
    ),
    rule("pricepipe.dev", "pricepipelines/status", &["patch"], "say how a pipeline is"),
    rule("pricepipe.dev", "pricepipelines/scale", &["patch"], "scale consumers by their lag"),
    rule(
        "pricepipe.dev",
        "pricepipelines/finalizers",
        &["update"],
        "own objects that block a pipeline's deletion, where the cluster checks that right",
    ),
    rule("", "configmaps", OWNED, "the workers' configuration"),
    rule("", "serviceaccounts", OWNED, "the workers' identities, which may do nothing"),
    rule(
        "",
        "services",
        OWNED_AND_DELETED,
        "the workers' metrics; deleted when apply cannot give it back its ports",
    ),
    rule(
        "apps",
        "deployments",
        OWNED_AND_DELETED,
        "the workers; deleted before the topics of a pipeline whose deletionPolicy is Delete",
    ),
    rule(
        "policy",
        "poddisruptionbudgets",
        OWNED_AND_DELETED,
        "keep one of several workers during a drain; deleted when there is only one",
    ),
    rule("networking.k8s.io", "networkpolicies", OWNED, "nothing but the metrics of workers can be reached"),
    rule("", "secrets", &["get"], "read those that a pipeline names; never listed, watched or copied"),
    rule("events.k8s.io", "events", &["create", "patch"], "say what happened, and that it happened again"),
];

/// In the controller's own namespace.
pub const OWN_NAMESPACE: &[Rule] = &[
    rule("coordination.k8s.io", "leases", &["create"], "one of several controllers leads"),
    Rule {
        group: "coordination.k8s.io",
        resource: "leases",
        verbs: &["get", "update"],
        name: Some(crate::leader::NAME),
        reason: "hold, renew and release the lease",
    },
];

/// Whether the tables grant a verb.
pub fn grants(group: &str, resource: &str, verb: &str) -> bool {
    let rules = PIPELINES.iter().chain(OWN_NAMESPACE);
    let mut own = rules.filter(|rule| rule.group == group && rule.resource == resource);
    own.any(|rule| rule.verbs.contains(&verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_listed_and_nothing_is_granted_by_a_star() {
        assert!(grants("", "secrets", "get"));
        for verb in ["list", "watch", "create", "update", "patch", "delete"] {
            assert!(!grants("", "secrets", verb), "{verb}");
        }
        for rule in PIPELINES.iter().chain(OWN_NAMESPACE) {
            let words = [&[rule.group, rule.resource], rule.verbs].concat();
            assert!(!words.contains(&"*"), "{rule:?}");
            assert!(!rule.reason.is_empty() && !rule.verbs.is_empty(), "{rule:?}");
        }
    }
}
