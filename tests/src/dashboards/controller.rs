//! What the controller does, and how it finds its pipelines.

use super::{
    Dashboard, Row,
    panel::{CONDITION, Panel, matrix, merged},
    row, variable,
};

const LEADS: &[(i32, &str, &str)] = &[(0, "waits", "yellow"), (1, "leads", "green")];

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "controller",
        title: "pricepipe / Controller",
        description: "The controller, and the pipelines as it finds them.",
        variables: vec![
            variable("namespace", "Namespace", "label_values(pricepipe_pipeline_condition, namespace)"),
            variable(
                "pipeline",
                "Pipeline",
                "label_values(pricepipe_pipeline_condition{namespace=~\"$namespace\"}, name)",
            ),
        ],
        rows: vec![glance(), pipelines(), work()],
    }
}

fn glance() -> Row {
    row(
        "At a glance",
        [
            Panel::number("Leaders", "short", "Controllers that lead: one, and for a moment none.")
                .query("leaders", "sum(pricepipe_controller_leader) or vector(0)")
                .thresholds(&[(0.0, "red"), (1.0, "green"), (2.0, "red")]),
            Panel::number("Pipelines", "short", "Those that are chosen.").query(
                "pipelines",
                "count(max by (namespace, name) (pricepipe_pipeline_condition{$resource, type=\"Ready\"})) \
                    or vector(0)",
            ),
            Panel::number("Not ready", "short", "Pipelines that should run and are not ready.")
                .query("not ready", format!("count({NOT_READY}) or vector(0)"))
                .thresholds(&[(1.0, "red")]),
            Panel::number(
                "Suspended",
                "short",
                "Pipelines that somebody has suspended, paused or scaled to zero.",
            )
            .query(
                "suspended",
                "count(max by (namespace, name) (pricepipe_pipeline_suspended{$resource}) == 1) or \
                        vector(0)",
            ),
            Panel::number("Open breakers", "short", "Of all workers of these pipelines.")
                .query("open", "count(pricepipe_breaker_state{$worker} == 2) or vector(0)")
                .thresholds(&[(1.0, "red")]),
            Panel::number(
                "Processes not reached",
                "short",
                "Processes of pricepipe that do not answer Prometheus.",
            )
            .query("not reached", "count(up{job=\"pricepipe\"} == 0) or vector(0)")
            .thresholds(&[(1.0, "red")]),
        ],
    )
}

const NOT_READY: &str = "max by (namespace, name) (pricepipe_pipeline_condition{$resource, \
    type=\"Ready\"}) == 0 unless on (namespace, name) max by (namespace, name) \
    (pricepipe_pipeline_suspended) == 1";

fn pipelines() -> Row {
    row(
        "Pipelines",
        [
            Panel::table(
                "Conditions",
                "Every condition of every pipeline, now. `kubectl describe pp` says why.",
                matrix("pipeline", "type"),
            )
            .sized(24, 10)
            .words(CONDITION)
            .query(
                "",
                "max by (pipeline, type) (label_join(pricepipe_pipeline_condition{$resource}, \
                    \"pipeline\", \"/\", \"namespace\", \"name\"))",
            ),
            Panel::states(
                "Ready",
                CONDITION,
                "The sum of a pipeline's conditions. One that is suspended is not ready either.",
            )
            .query(
                "{{namespace}}/{{name}}",
                "max by (namespace, name) (pricepipe_pipeline_condition{$resource, type=\"Ready\"})",
            ),
            Panel::graph(
                "Open breakers",
                "short",
                "Servers and hosts that are not asked for now, by pipeline.",
            )
            .sized(12, 9)
            .query(
                "{{namespace}}/{{pipeline}}",
                "sum by (namespace, pipeline) (pricepipe_breaker_state{$worker} == bool 2)",
            ),
        ],
    )
}

fn work() -> Row {
    row(
        "The controller's work",
        [
            Panel::graph("Visits", "ops", "Visits to pipelines a second, by how they ended.")
                .stacked()
                .query(
                    "{{outcome}}",
                    "sum by (outcome) (rate(pricepipe_controller_reconciliations_total[$rate]))",
                ),
            Panel::graph("Time of a visit", "s", "How long a visit to a pipeline took.")
                .query(
                    "p50",
                    "histogram_quantile(0.5, sum by (le) \
                        (rate(pricepipe_controller_reconcile_duration_seconds_bucket[$rate])))",
                )
                .query(
                    "p99",
                    "histogram_quantile(0.99, sum by (le) \
                        (rate(pricepipe_controller_reconcile_duration_seconds_bucket[$rate])))",
                ),
            Panel::states(
                "Who leads",
                LEADS,
                "Of several controllers one leads, and another takes over within 20 s of its death.",
            )
            .sized(8, 8)
            .query("{{namespace}}/{{pod}}", "max by (namespace, pod) (pricepipe_controller_leader)"),
            Panel::table(
                "What runs",
                "Processes by component and version.",
                merged(&[("component", "Component"), ("version", "Version"), ("Value", "Processes")]),
            )
            .query("", "count by (component, version) (pricepipe_build_info)"),
            Panel::graph(
                "Processes that answer",
                "short",
                "Processes of pricepipe that Prometheus reaches, by component.",
            )
            .sized(16, 9)
            .query("{{component}}", "sum by (component) (up{job=\"pricepipe\"})"),
        ],
    )
}
