//! What the release's ServiceAccounts may do: the code's own table, where pipelines are looked after, and no more.

use pricepipe_controller::rbac::{self, Rule};
use pricepipe_tests::chart::{NAMESPACE, Object, ValueSet, render};
use serde_json::{Value, json};

/// Rules, and the namespace that they hold in; all of them when there is none.
type Granted = (Option<String>, Vec<Value>);

#[test]
#[ignore = "needs helm"]
fn the_controller_may_do_what_the_table_says_in_all_namespaces() {
    let objects = render(&[]);
    assert_eq!(
        granted(&objects, &controller(&objects)),
        [(None, rules(rbac::PIPELINES)), (Some(NAMESPACE.to_owned()), rules(rbac::OWN_NAMESPACE)),]
    );
}

#[test]
#[ignore = "needs helm"]
fn with_named_namespaces_it_may_do_so_in_these_alone_and_nobody_has_a_right_in_the_whole_cluster() {
    let objects = render(&ValueSet::named("external").with(&[]));
    let account = controller(&objects);
    assert_eq!(account, "prices-controller");
    assert_eq!(
        granted(&objects, &account),
        [
            (Some(NAMESPACE.to_owned()), rules(rbac::OWN_NAMESPACE)),
            (Some("prices-one".to_owned()), rules(rbac::PIPELINES)),
            (Some("prices-two".to_owned()), rules(rbac::PIPELINES)),
        ]
    );
    let of_cluster = objects.iter().filter(|object| object.kind().starts_with("ClusterRole"));
    assert_eq!(of_cluster.map(Object::id).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
#[ignore = "needs helm"]
fn its_own_namespace_may_be_among_the_named_ones() {
    let named = format!("controller.watchNamespaces={{{NAMESPACE},elsewhere}}");
    let objects = render(&["--set", &named]);
    let granted = granted(&objects, &controller(&objects));
    let here: Vec<&Granted> =
        granted.iter().filter(|(place, _)| place.as_deref() == Some(NAMESPACE)).collect();
    assert_eq!((granted.len(), here.len()), (3, 2), "{granted:?}");
}

#[test]
#[ignore = "needs helm"]
fn roles_can_be_left_to_somebody_else() {
    let objects = render(&["--set", "rbac.create=false"]);
    let kinds = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"];
    let roles = objects.iter().filter(|object| kinds.contains(&object.kind()));
    assert_eq!(roles.map(Object::id).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
#[ignore = "needs helm"]
fn nobody_is_granted_anything_by_a_star() {
    for set in ValueSet::all() {
        let objects = render(&set.with(&[]));
        for role in objects.iter().filter(|object| object.kind().ends_with("Role")) {
            let rules = role.manifest["rules"].to_string();
            assert!(
                !rules.contains("\"*\"") && rules.contains("verbs"),
                "{}: {}: {rules}",
                set.name,
                role.id()
            );
        }
    }
}

/// The ServiceAccount of the controller's pods, which the release makes.
fn controller(objects: &[Object]) -> String {
    let deployment = objects.iter().find(|o| o.kind() == "Deployment" && o.name().ends_with("-controller"));
    let pod = deployment.and_then(Object::pod).expect("the controller");
    let account = pod["spec"]["serviceAccountName"].as_str().expect("an account of its own").to_owned();
    assert!(objects.iter().any(|object| object.kind() == "ServiceAccount" && object.name() == account));
    account
}

/// What this account of the release's namespace may do.
fn granted(objects: &[Object], account: &str) -> Vec<Granted> {
    let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE});
    let bindings = objects.iter().filter(|object| object.kind().ends_with("RoleBinding"));
    let bound = bindings.filter(|binding| binding.manifest["subjects"] == json!([subject]));
    let mut granted: Vec<Granted> = bound
        .map(|binding| {
            let wanted = &binding.manifest["roleRef"];
            let is_bound = |role: &&Object| {
                let is_of_cluster = role.kind() == "ClusterRole";
                wanted["kind"] == role.kind()
                    && wanted["name"] == role.name()
                    && (is_of_cluster || role.namespace() == binding.namespace())
            };
            let role =
                objects.iter().find(is_bound).unwrap_or_else(|| panic!("no role for {}", binding.id()));
            let place = (binding.kind() == "RoleBinding").then(|| binding.namespace().to_owned());
            (place, role.manifest["rules"].as_array().expect("rules").clone())
        })
        .collect();
    granted.sort_by(|a, b| a.0.cmp(&b.0));
    granted
}

/// The table as a role has it.
fn rules(table: &[Rule]) -> Vec<Value> {
    let rule = |rule: &Rule| {
        let mut object =
            json!({"apiGroups": [rule.group], "resources": [rule.resource], "verbs": rule.verbs});
        if let Some(name) = rule.name {
            object["resourceNames"] = json!([name]);
        }
        object
    };
    table.iter().map(rule).collect()
}
