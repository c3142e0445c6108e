//! Prints a plan as text, and as a graph for Graphviz.

use std::fmt::Write;

use super::Plan;
use base::step::State;

/// One block per step: its name, its state, the reason why it is to do, the steps before it, and the files that it
/// reads.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for step in plan.steps.iter() {
        let _ = writeln!(out, "{:<44} {:<10} {}", step.name, step.state, step.key.short());
        if let Some(why) = &step.why {
            let _ = writeln!(out, "    why    {why}");
        }
        for need in &step.needs {
            let _ = writeln!(out, "    after  {}", plan.steps[*need].name);
        }
        for input in &step.inputs {
            let _ = writeln!(out, "    reads  {input}");
        }
    }
    for along in &plan.along {
        let _ = writeln!(out, "{along}");
    }
    for unmet in &plan.unmet {
        let _ = writeln!(out, "{unmet}");
    }
    let todo = plan.steps.iter().filter(|s| s.state == State::ToDo).count();
    let _ =
        writeln!(out, "{} steps, {todo} to do; then index, verify and publish", plan.steps.len());
    out
}

/// The steps as a directed graph. Steps that are to do are bold, and steps that are not needed are dashed.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n");
    for (id, step) in plan.steps.with_ids() {
        let i = id.place();
        let style = match step.state {
            State::Cached => "solid",
            State::ToDo => "bold",
            State::NotNeeded => "dashed",
        };
        let why =
            step.why.as_ref().map(|why| format!(", tooltip=\"{}\"", quoted(&why.to_string())));
        let (label, why) = (quoted(&step.name), why.unwrap_or_default());
        let _ = writeln!(out, "  s{i} [label=\"{label}\", style={style}{why}];");
        for need in &step.needs {
            let _ = writeln!(out, "  s{} -> s{i};", need.place());
        }
        if plan.steps.iter().all(|s| !s.needs.contains(&id)) {
            let _ = writeln!(out, "  s{i} -> index;");
        }
    }
    out.push_str("  index -> verify -> publish;\n}\n");
    out
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
