//! What the operator of a deployment chooses for all integrations, read the same on every platform: the tables `sslcom`,
//! `microsoft`, `product` and `timing`. Every problem is named at once.
//!
//! A platform brings the tables as JSON values, and says what it is told elsewhere: [`Surroundings`].

pub mod tables;
mod timing;
pub mod values;
mod variables;
mod vendors;
mod written_duration;

use serde_json::{Map, Value};
use url::Url;

pub use self::{tables::Notation, variables::from_variables, written_duration::WrittenDuration};
use self::{
    timing::TimingSection,
    vendors::{MicrosoftSection, SslComSection, products},
};
use crate::{Deployment, FieldProblem, VendorEndpoints};

/// What the tables make, together with their surroundings.
#[derive(Clone, Debug)]
pub struct DeploymentInput {
    pub vendors: VendorEndpoints,
    pub deployment: Deployment,
}

/// The tables as they were written.
#[derive(Clone, Debug)]
pub struct Tables {
    pub named: Map<String, Value>,
    pub notation: Notation,
    /// Fields of `timing` that the caller reads itself, because they are about how it runs the steps.
    pub timing_of_caller: &'static [&'static str],
}

/// What stands outside of the tables, because every platform is told it in its own way.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// With a slash at its end, as [`values::base_address`] makes it.
    pub public_url: Option<Url>,
    pub redirect_url: Url,
    pub stop_buying: bool,
}

impl DeploymentInput {
    /// # Errors
    ///
    /// Every problem of the tables. A field is named once, as in `sslcom.base_url` or `product[0]`.
    pub fn read(tables: Tables, surroundings: Surroundings) -> Result<Self, Vec<FieldProblem>> {
        let Tables { mut named, notation, timing_of_caller } = tables;
        let mut problems = Vec::new();
        for name in named.keys().filter(|name| !TABLES.contains(&name.as_str())) {
            problems.push(tables::unknown_table(name, &TABLES));
        }
        let mut take = |name: &str| named.remove(name);
        let sslcom: SslComSection = notation.table("sslcom", take("sslcom"), &mut problems);
        let microsoft: MicrosoftSection = notation.table("microsoft", take("microsoft"), &mut problems);
        let rows = notation.rows("product", take("product"), &mut problems);
        let timing = TimingSection::read(take("timing"), notation, timing_of_caller, &mut problems);

        let vendors = VendorEndpoints {
            statuses: sslcom.statuses(notation, &mut problems),
            sslcom: sslcom.endpoint(&mut problems),
            microsoft: microsoft.endpoints(&mut problems),
        };
        let Surroundings { public_url, redirect_url, stop_buying } = surroundings;
        let deployment = Deployment {
            public_url,
            redirect_url,
            products: products(rows, &mut problems),
            intermediates: sslcom.intermediates(&mut problems),
            stop_buying,
            ..timing.deployment(vendors.sslcom.create_timeout, &mut problems)
        };
        if problems.is_empty() { Ok(Self { vendors, deployment }) } else { Err(first_of_each_field(problems)) }
    }
}

/// The tables that are read here. A platform may have others beside them.
pub const TABLES: [&str; 4] = ["sslcom", "microsoft", "product", "timing"];

/// What could not be read is also missing, and so is everything in it; only the first is worth saying.
pub fn first_of_each_field(problems: Vec<FieldProblem>) -> Vec<FieldProblem> {
    let mut said: Vec<FieldProblem> = Vec::with_capacity(problems.len());
    for problem in problems {
        let is_same_or_in = |other: &FieldProblem| {
            let rest = problem.field.strip_prefix(&other.field);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if !said.iter().any(is_same_or_in) {
            said.push(problem);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    fn problems(named: Value) -> Vec<FieldProblem> {
        let Value::Object(named) = named else { panic!("{named}") };
        let tables = Tables { named, notation: Notation::Toml, timing_of_caller: &["naps", "snacks"] };
        let redirect_url = Url::parse("https://x.example/oauth/callback").unwrap();
        let surroundings = Surroundings { public_url: None, redirect_url, stop_buying: false };
        DeploymentInput::read(tables, surroundings).err().unwrap_or_default()
    }

    fn good() -> Value {
        json!({ "sslcom": { "base_url": "https://sws.sslpki.com" } })
    }

    #[test]
    fn the_callers_fields_are_left_to_the_caller_and_known() {
        let mut named = good();
        named["timing"] = json!({ "naps": { "not": "looked at" }, "snacks": 0 });
        assert_eq!(problems(named.clone()), []);
        named["timing"]["nap"] = 1.into();
        let found = problems(named);
        let [FieldProblem { field, problem, fix }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((field.as_str(), problem.as_str()), ("timing.nap", "there is no such field"));
        assert!(fix.starts_with("use one of `purchase_window`, ") && fix.ends_with(", `naps`, `snacks`"), "{fix}");
    }

    #[test]
    fn intermediates_that_are_no_certificates_are_named() {
        let mut named = good();
        named["sslcom"]["intermediates"] = json!("");
        assert_eq!(problems(named.clone()), []);
        named["sslcom"]["intermediates"] = json!("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
        let found = problems(named);
        let [FieldProblem { field, problem, .. }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(field, "sslcom.intermediates");
        assert_eq!(problem, "the certificates cannot be read: a PEM block is empty");
    }

    #[test]
    fn a_table_of_another_platform_is_named_with_those_that_are_read() {
        let mut named = good();
        named["api_token"] = json!([]);
        let expected = FieldProblem::new(
            "api_token",
            "there is no such table or field",
            "use one of sslcom, microsoft, product, timing",
        );
        assert_eq!(problems(named), [expected]);
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_called_left_out() {
        for (login, named_field) in [(json!(7), "microsoft.login_url"), (json!("x"), "microsoft.login_url")] {
            let mut named = good();
            named["microsoft"] = json!({ "login_url": login, "graph_url": "https://x.example" });
            let fields: Vec<_> = problems(named).into_iter().map(|problem| problem.field).collect();
            assert_eq!(fields, [named_field]);
        }
        let mut named = good();
        named["microsoft"] = json!({ "login_url": "x", "graph_url": "y" });
        assert_eq!(problems(named).len(), 2);
    }

    #[test]
    fn only_the_first_problem_of_a_field_and_of_what_is_in_it_is_said() {
        let problem = |field: &str, problem: &str| FieldProblem::new(field, problem, "");
        let all = ["a.b", "a", "a[0].c", "a", "a.b.c", "ab", "b[1]", "b[10]"];
        let said =
            first_of_each_field(all.iter().enumerate().map(|(at, field)| problem(field, &at.to_string())).collect());
        let said: Vec<_> = said.iter().map(|said| (said.field.as_str(), said.problem.as_str())).collect();
        assert_eq!(said, [("a.b", "0"), ("a", "1"), ("ab", "5"), ("b[1]", "6"), ("b[10]", "7")]);
    }
}
