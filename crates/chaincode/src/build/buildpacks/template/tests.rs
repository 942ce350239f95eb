//! Our templates against Go's own. Needs Go.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use proptest::{collection::vec, prelude::*};
use serde::Deserialize;
use serde_json::json;

use super::*;

/// What executing a template came to, in Go.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    output: String,
    error: String,
}

fn data() -> Json {
    json!({
        "peername": "peer0org1", "n": 3, "neg": -2.5, "big": 12_345_678, "huge": 1e21, "tiny": 1e-7, "f": 1.5, "zero": 0,
        "t": true, "no": false, "nil": null, "es": "", "u": "日本語é", "s": "he said \"hi\" <b>&'\n\u{1}",
        "list": ["a", "b", "c"], "nums": [1, 2, 3], "mixed": [1, "a", null, true, [1], {"k": "v"}], "empty": [],
        "m": {"b": {"x": "1"}, "a": 2}, "e": {}, "with-dash": "d", "Ünï": "uni",
    })
}

fn ask_go(templates: &[String]) -> Vec<Answer> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates");
    let mut go = Command::new("go");
    go.args(["run", "."]).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = go.spawn().expect("Go is installed");
    let question = json!({ "data": data(), "templates": templates }).to_string();
    child.stdin.take().expect("a pipe").write_all(question.as_bytes()).expect("Go reads");
    let output = child.wait_with_output().expect("Go ends");
    assert!(output.status.success(), "go run failed");
    serde_json::from_slice(&output.stdout).expect("answers")
}

/// One a line.
const CASES: &str = include_str!("../../../../tests/templates/cases.txt");

#[test]
fn does_what_go_does() {
    /// Complex numbers, which nobody needs in an address.
    const REFUSED: [&str; 1] = ["{{1i}} {{1+2i}}"];
    /// Go goes deeper, and has the words of another of its packages for an argument that it did not expect.
    const OTHER_WORDS: [&str; 2] = ["{{len nil}}", r#"{{define "x"}}{{template "x"}}{{end}}{{template "x"}}"#];
    let cases = CASES.lines().filter(|line| !line.starts_with('#'));
    let cases: Vec<_> = cases.map(|case| case.replace('⏎', "\n").replace('␍', "\r")).collect();
    let mut faults = Vec::new();
    for (case, go) in cases.iter().zip(ask_go(&cases)) {
        let case = case.as_str();
        let ours = execute(case, &data());
        let agree = match &ours {
            Ok(output) => go.error.is_empty() && *output == go.output,
            Err(error) => *error == go.error || OTHER_WORDS.contains(&case) && !go.error.is_empty(),
        };
        if agree == REFUSED.contains(&case) {
            faults.push(format!("{case}\n  Go:   {:?} {}\n  ours: {ours:?}", go.output, go.error));
        }
    }
    assert!(cases.len() > 500, "only {} cases were read", cases.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn says_what_is_wrong_in_gos_words() {
    let none = json!({});
    assert_eq!(
        fill("{{.x}}", "Address", &none),
        Err(
            "Failed to parse the Address field template: template: :1:2: executing \"\" at <.x>: map has no entry for \
             key \"x\""
                .to_owned()
        )
    );
    let complex = Err("template: :1: complex numbers are not known here: \"1i\"".to_owned());
    assert_eq!(execute("{{1i}}", &none), complex);
}

#[test]
fn ends_whatever_the_template_is() {
    let nested = |depth: usize| "{{print ".to_owned() + &"(print ".repeat(depth) + "1" + &")".repeat(depth) + "}}";
    assert_eq!(execute(&nested(DEPTH_MAX - 1), &json!({})).as_deref(), Ok("1"));
    let blocks = |depth: usize| "{{if true}}".repeat(depth) + "x" + &"{{end}}".repeat(depth);
    assert_eq!(execute(&blocks(DEPTH_MAX - 1), &json!({})).as_deref(), Ok("x"));
    for (template, why) in [
        (nested(10_000), "nested deeper than 200"),
        (blocks(10_000), "nested deeper than 200"),
        ("{{if false}}{{else if false}}".to_owned() + &"{{else if false}}".repeat(10_000), "nested deeper than 200"),
        (r#"{{define "x"}}{{with 1}}{{template "x"}}{{end}}{{end}}{{template "x"}}"#.to_owned(), "depth (200)"),
        ("{{range 1000000000000}}{{end}}".to_owned(), "does not end"),
        ("{{range 1000}}{{range 1000}}{{range 1000}}{{end}}{{end}}{{end}}".to_owned(), "does not end"),
        (r#"{{$x := "ab"}}{{range 100}}{{$x = print $x $x}}{{end}}"#.to_owned(), "does not end"),
        (r#"{{$x := "<>"}}{{range 100}}{{$x = html $x $x}}{{end}}"#.to_owned(), "does not end"),
        (r#"{{$x := "\x00"}}{{range 100}}{{$x = printf "%q" $x}}{{end}}"#.to_owned(), "does not end"),
        (r#"{{range 1000}}{{printf "%1000000d" 1}}{{end}}"#.to_owned(), "does not end"),
        (r#"{{range 1000}}{{printf "%.1000000f%.1000000e%.1000000x" 1.5 1.5 1.5}}{{end}}"#.to_owned(), "does not end"),
        (format!("{{{{range 1000}}}}{{{{printf \"%{}d\" 1}}}}{{{{end}}}}", "#".repeat(100_000)), "does not end"),
        (format!("{{{{range 100}}}}{{{{printf \"{}\"}}}}{{{{end}}}}", "%[".repeat(100_000)), "does not end"),
        (format!("{{{{range 1000}}}}{{{{index $ \"{}\"}}}}{{{{end}}}}", "x".repeat(100_000)), "does not end"),
        ((0..1000).map(|number| format!("{{{{$x{number} := 1}}}}")).collect(), "more than 256 variables"),
        ("x".repeat(budget::TEXT_MAX + 1), "longer than 1024 KiB"),
    ] {
        let error = execute(&template, &json!({})).expect_err(why);
        assert!(error.contains(why), "{}", &error[error.len().saturating_sub(200)..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pieces of good templates in any order are anything but good, and panic nowhere.
    #[test]
    fn answers_whatever_the_template_is(pieces in vec((any::<prop::sample::Index>(), 0usize..40, 1usize..24), 1..12)) {
        let cases: Vec<_> = CASES.lines().collect();
        let piece = |(case, from, length): &(prop::sample::Index, usize, usize)| {
            cases[case.index(cases.len())].chars().skip(*from).take(*length).collect::<String>()
        };
        let inside: String = pieces.iter().map(piece).collect();
        for template in [format!("{{{{{inside}}}}}"), inside] {
            let _ = execute(&template, &data());
        }
    }
}
