//! A dashboard in Grafana's own form. Positions follow from the order and the sizes of the panels.

use serde_json::{Value, json};

use super::{
    Dashboard, Panel, ROLLOUTS, Variable,
    panel::{Look, Query},
};

/// The form that Grafana writes since version 11.6; it brings older ones up to date by itself.
const SCHEMA_VERSION: u32 = 41;
const COLUMNS: u32 = 24;
const ROW_HEIGHT: u32 = 1;

pub(super) fn dashboard(dashboard: &Dashboard) -> Value {
    let variables = std::iter::once(data_sources()).chain(dashboard.variables.iter().map(variable));
    json!({
        "id": null,
        "uid": format!("pricepipe-{}", dashboard.name),
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["pricepipe"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "10s",
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "links": [links()],
        "annotations": {"list": [rollouts()]},
        "templating": {"list": variables.collect::<Vec<_>>()},
        "panels": panels(dashboard),
    })
}

/// The data source that is chosen at the top. Nothing else works with a Grafana that we did not set up.
fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn links() -> Value {
    json!({
        "type": "dashboards", "title": "pricepipe", "tags": ["pricepipe"],
        "icon": "external link", "tooltip": "", "asDropdown": false, "includeVars": true,
        "keepTime": true, "targetBlank": false,
    })
}

fn rollouts() -> Value {
    json!({
        "name": "Rollouts", "datasource": data_source(), "enable": true, "iconColor": "blue",
        "expr": ROLLOUTS, "titleFormat": "{{component}} {{version}}", "step": "30s",
    })
}

fn data_sources() -> Value {
    json!({
        "type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "hide": 0,
        "includeAll": false, "multi": false, "options": [], "refresh": 1, "regex": "", "skipUrlSync": false,
    })
}

fn variable(variable: &Variable) -> Value {
    json!({
        "type": "query", "name": variable.name, "label": variable.label, "datasource": data_source(),
        "definition": variable.query,
        "query": {"qryType": 1, "query": variable.query, "refId": variable.name},
        // Not the values that are known: what comes later belongs to all of them too.
        "includeAll": true, "allValue": ".*", "multi": true, "current": {"text": "All", "value": "$__all"},
        "hide": 0, "options": [], "refresh": 2, "regex": "", "skipUrlSync": false, "sort": 1,
    })
}

fn panels(dashboard: &Dashboard) -> Vec<Value> {
    let (mut panels, mut y) = (Vec::new(), 0);
    for row in &dashboard.rows {
        let position = json!({"x": 0, "y": y, "w": COLUMNS, "h": ROW_HEIGHT});
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": row.title, "collapsed": false,
            "panels": [], "gridPos": position,
        }));
        y += ROW_HEIGHT;
        let (mut x, mut height) = (0, 0);
        for panel in &row.panels {
            if x + panel.width > COLUMNS {
                (x, y, height) = (0, y + height, 0);
            }
            panels.push(self::panel(panel, panels.len() + 1, x, y));
            (x, height) = (x + panel.width, height.max(panel.height));
        }
        y += height;
    }
    panels
}

fn panel(panel: &Panel, id: usize, x: u32, y: u32) -> Value {
    let targets = ["A", "B", "C"].iter().zip(&panel.queries).map(|(id, query)| target(panel, id, query));
    let mut json = json!({
        "id": id,
        "type": plugin(panel.look),
        "title": panel.title,
        "description": panel.description,
        "datasource": data_source(),
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "targets": targets.collect::<Vec<_>>(),
        "options": options(panel.look),
        "fieldConfig": {"defaults": field(panel), "overrides": overrides(panel)},
    });
    if !panel.transformations.is_empty() {
        json["transformations"] = json!(panel.transformations);
    }
    json
}

fn plugin(look: Look) -> &'static str {
    match look {
        Look::Graph => "timeseries",
        Look::Number => "stat",
        Look::States => "state-timeline",
        Look::Table => "table",
    }
}

fn target(panel: &Panel, id: &str, query: &Query) -> Value {
    let is_table = panel.look == Look::Table;
    json!({
        "refId": id, "datasource": data_source(), "editorMode": "code", "expr": query.expression,
        "legendFormat": query.legend, "instant": is_table, "range": !is_table,
        "format": if is_table { "table" } else { "time_series" },
    })
}

fn options(look: Look) -> Value {
    let (legend, tooltip) = (
        json!({"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []}),
        json!({"mode": "multi", "sort": "desc"}),
    );
    match look {
        Look::Graph => json!({"legend": legend, "tooltip": tooltip}),
        Look::Number => json!({
            "colorMode": "value", "graphMode": "area", "justifyMode": "auto", "orientation": "auto",
            "textMode": "auto", "wideLayout": true, "showPercentChange": false,
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
        }),
        Look::States => json!({
            "alignValue": "left", "mergeValues": true, "rowHeight": 0.9, "showValue": "auto",
            "legend": legend, "tooltip": {"mode": "single", "sort": "none"},
        }),
        Look::Table => json!({"cellHeight": "sm", "showHeader": true, "frameIndex": 0}),
    }
}

fn field(panel: &Panel) -> Value {
    let mut field = json!({
        "unit": panel.unit,
        "color": {"mode": if panel.look == Look::Graph { "palette-classic" } else { "thresholds" }},
        "mappings": mappings(panel),
        "thresholds": {"mode": "absolute", "steps": steps(panel)},
        "custom": custom(panel),
    });
    if let (Some(min), Look::Graph | Look::Number) = (panel.min, panel.look) {
        field["min"] = json!(min);
    }
    if let Some(text) = panel.no_value {
        field["noValue"] = json!(text);
    }
    field
}

fn mappings(panel: &Panel) -> Value {
    let word = |place: usize, (value, text, color): &(i32, &str, &str)| {
        (value.to_string(), json!({"text": text, "color": color, "index": place}))
    };
    let words: Value = panel.words.iter().enumerate().map(|(place, one)| word(place, one)).collect();
    if panel.words.is_empty() { json!([]) } else { json!([{"type": "value", "options": words}]) }
}

/// Where nothing is said, a value has no colour that would judge it.
fn steps(panel: &Panel) -> Vec<Value> {
    let first = if panel.thresholds.is_empty() && panel.look != Look::Graph { "text" } else { "green" };
    let step = |value: Option<f64>, color: &str| json!({"value": value, "color": color});
    let others = panel.thresholds.iter().map(|(value, color)| step(Some(*value), color));
    std::iter::once(step(None, first)).chain(others).collect()
}

fn custom(panel: &Panel) -> Value {
    match panel.look {
        Look::Graph => json!({
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": if panel.is_stacked { 30 } else { 10 },
            "showPoints": "never", "spanNulls": false,
            "stacking": {"mode": if panel.is_stacked { "normal" } else { "none" }, "group": "A"},
            "thresholdsStyle": {"mode": if panel.thresholds.is_empty() { "off" } else { "dashed" }},
        }),
        Look::Number => json!({}),
        Look::States => json!({"fillOpacity": 70, "lineWidth": 0, "spanNulls": false}),
        Look::Table => json!({"align": "auto", "inspect": false, "cellOptions": cell(panel)}),
    }
}

fn cell(panel: &Panel) -> Value {
    if panel.words.is_empty() {
        json!({"type": "auto"})
    } else {
        json!({"type": "color-background", "mode": "basic"})
    }
}

fn overrides(panel: &Panel) -> Vec<Value> {
    let unit = |unit: &str| json!([{"id": "unit", "value": unit}]);
    let column = |(name, of): &(&str, &str)| json!({"matcher": {"id": "byName", "options": name}, "properties": unit(of)});
    panel.columns.iter().map(column).collect()
}
