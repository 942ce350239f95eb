//! The language of signature policies: `AND('Org1MSP.peer', OR('Org2MSP.admin', 'Org3MSP.member'))`.
//!
//! Also `OutOf(2, …)`. A principal is `'<MSP ID>.<role>'` in quotes of either kind. The envelope lists the principals
//! of inner expressions before those of the expression around them, without merging equal ones: this order is part
//! of what organizations agree on when they approve a policy.
// Fabric: ledger §4

use windlass_proto::common::{
    self, MspPrincipal, MspRole, SignaturePolicyEnvelope, msp_principal::Classification, msp_role::MspRoleType,
    signature_policy::Type,
};

use super::{decoded, out_of, role_principal, signed_by};

/// How deep expressions may nest.
const DEPTH: usize = 32;

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Something else was expected here.
    #[error("unrecognized token '{token}' in policy string")]
    Token {
        /// What stands there.
        token: String,
    },
    /// The text ends too early or goes on too long, or is no expression at all.
    #[error("invalid policy string '{0}'")]
    Invalid(String),
    /// A principal without MSP or with an unknown role.
    #[error("error parsing principal {0}")]
    Principal(String),
    /// A count that makes no sense.
    #[error("invalid t-out-of-n predicate, t {needed}, n {given}")]
    Count {
        /// How many are asked for.
        needed: i64,
        /// Of how many.
        given: usize,
    },
    /// Nothing to choose from.
    #[error("expected at least two arguments to NOutOf. Given {0}")]
    TooFewArguments(usize),
    /// Expressions within expressions, beyond all use.
    #[error("policy string nests deeper than {DEPTH} levels")]
    TooDeep,
}

/// Reads a policy.
pub fn parse(text: &str) -> Result<SignaturePolicyEnvelope, TextError> {
    let mut parser = Parser { text, rest: text };
    let expression = parser.expression(0)?;
    if !parser.rest.trim_start().is_empty() || matches!(expression, Expression::Principal(_)) {
        return Err(TextError::Invalid(text.to_owned()));
    }
    let mut identities = Vec::new();
    let rule = expression.into_rule(&mut identities);
    Ok(SignaturePolicyEnvelope { version: 0, rule: Some(rule), identities })
}

/// Writes a policy, or None when it has principals or counts that the language cannot say.
pub fn print(envelope: &SignaturePolicyEnvelope) -> Option<String> {
    if envelope.version != 0 {
        return None;
    }
    print_rule(envelope.rule.as_ref()?, &envelope.identities, 0)
}

enum Expression {
    Principal(MspPrincipal),
    OutOf(i32, Vec<Expression>),
}

impl Expression {
    /// Inner expressions first, then one's own principals.
    fn into_rule(self, identities: &mut Vec<MspPrincipal>) -> common::SignaturePolicy {
        match self {
            Self::Principal(principal) => {
                identities.push(principal);
                signed_by(identities.len() as i32 - 1)
            }
            Self::OutOf(needed, parts) => {
                let mut rules = vec![common::SignaturePolicy::default(); parts.len()];
                let (inner, own): (Vec<_>, Vec<_>) =
                    parts.into_iter().enumerate().partition(|(_, part)| matches!(part, Self::OutOf(..)));
                for (at, part) in inner.into_iter().chain(own) {
                    rules[at] = part.into_rule(identities);
                }
                out_of(needed, rules)
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn expression(&mut self, depth: usize) -> Result<Expression, TextError> {
        if depth > DEPTH {
            return Err(TextError::TooDeep);
        }
        self.rest = self.rest.trim_start();
        if let Some(quote) = self.rest.chars().next().filter(|first| matches!(first, '\'' | '"')) {
            return self.principal(quote);
        }
        let word = self.word();
        match word.to_ascii_lowercase().as_str() {
            "and" | "or" | "outof" => {}
            "" => return Err(self.unexpected()),
            _ => return Err(TextError::Token { token: word }),
        }
        self.expect('(')?;
        let needed = if word.eq_ignore_ascii_case("outof") { Some(self.number()?) } else { None };
        let mut parts = Vec::new();
        if needed.is_none() && !self.next_is(')') {
            parts.push(self.expression(depth + 1)?);
        }
        while self.next_is(',') {
            self.expect(',')?;
            parts.push(self.expression(depth + 1)?);
        }
        self.expect(')')?;
        if parts.is_empty() {
            return Err(TextError::TooFewArguments(usize::from(needed.is_some())));
        }
        let needed = match needed {
            Some(needed) => needed,
            None if word.eq_ignore_ascii_case("and") => parts.len() as i64,
            None => 1,
        };
        // One more than there are is allowed: a policy that nobody satisfies.
        match i32::try_from(needed) {
            Ok(count) if count >= 0 && count as usize <= parts.len() + 1 => Ok(Expression::OutOf(count, parts)),
            _ => Err(TextError::Count { needed, given: parts.len() }),
        }
    }

    fn principal(&mut self, quote: char) -> Result<Expression, TextError> {
        let body = &self.rest[1..];
        let end = body.find(quote).ok_or_else(|| TextError::Invalid(self.text.to_owned()))?;
        let name = &body[..end];
        self.rest = &body[end + 1..];
        let refused = || TextError::Principal(name.to_owned());
        let (msp_id, role) = name.rsplit_once('.').ok_or_else(refused)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if msp_id.is_empty() || !msp_id.bytes().all(legal) {
            return Err(refused());
        }
        let role = role_of(role).ok_or_else(refused)?;
        Ok(Expression::Principal(role_principal(msp_id, role)))
    }

    fn number(&mut self) -> Result<i64, TextError> {
        self.rest = self.rest.trim_start();
        let sign = usize::from(self.rest.starts_with('-'));
        let digits = self.rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(sign + digits);
        let number = number.parse().map_err(|_| self.unexpected())?;
        self.rest = rest;
        Ok(number)
    }

    fn word(&mut self) -> String {
        let end = self.rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.starts_with(wanted)
    }

    fn expect(&mut self, wanted: char) -> Result<(), TextError> {
        if !self.next_is(wanted) {
            return Err(self.unexpected());
        }
        self.rest = &self.rest[wanted.len_utf8()..];
        Ok(())
    }

    fn unexpected(&self) -> TextError {
        let token: String = self.rest.chars().take_while(|next| !next.is_whitespace()).take(40).collect();
        if token.is_empty() { TextError::Invalid(self.text.to_owned()) } else { TextError::Token { token } }
    }
}

fn role_of(name: &str) -> Option<MspRoleType> {
    Some(match name {
        "member" => MspRoleType::Member,
        "admin" => MspRoleType::Admin,
        "client" => MspRoleType::Client,
        "peer" => MspRoleType::Peer,
        "orderer" => MspRoleType::Orderer,
        _ => return None,
    })
}

fn print_rule(rule: &common::SignaturePolicy, identities: &[MspPrincipal], depth: usize) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    match rule.r#type.as_ref()? {
        Type::SignedBy(index) => {
            let principal = identities.get(usize::try_from(*index).ok()?)?;
            if principal.principal_classification != Classification::Role as i32 {
                return None;
            }
            let role: MspRole = decoded("MSPRole", &principal.principal).ok()?;
            let name = MspRoleType::try_from(role.role).ok()?.as_str_name().to_ascii_lowercase();
            Some(format!("'{}.{name}'", role.msp_identifier))
        }
        Type::NOutOf(part) => {
            let parts: Option<Vec<String>> =
                part.rules.iter().map(|rule| print_rule(rule, identities, depth + 1)).collect();
            let parts = parts.filter(|parts| !parts.is_empty())?;
            let list = parts.join(", ");
            Some(match usize::try_from(part.n).ok()? {
                1 if parts.len() > 1 => format!("OR({list})"),
                needed if needed == parts.len() => format!("AND({list})"),
                needed => format!("OutOf({needed}, {list})"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn members(names: &[&str]) -> Vec<MspPrincipal> {
        names.iter().map(|name| role_principal(name, MspRoleType::Member)).collect()
    }

    #[test]
    fn lists_principals_of_inner_expressions_first() {
        let envelope = parse("OR('A.member', AND('B.member', \"C.member\"), 'A.member')").expect("a policy");
        assert_eq!(envelope.identities, members(&["B", "C", "A", "A"]));
        let expected = out_of(1, vec![signed_by(2), out_of(2, vec![signed_by(0), signed_by(1)]), signed_by(3)]);
        assert_eq!(envelope.rule, Some(expected));
    }

    #[test]
    fn reads_every_spelling() {
        let expected = parse("AND('A.peer','B-1.x.admin')").expect("a policy");
        for text in [
            "and('A.peer', 'B-1.x.admin')",
            " And ( 'A.peer' ,\n\t\"B-1.x.admin\" ) ",
            "OutOf(2,'A.peer','B-1.x.admin')",
        ] {
            assert_eq!(parse(text), Ok(expected.clone()), "{text}");
        }
        assert!(parse("OutOf(0, 'A.client')").is_ok());
        assert!(parse("OutOf(2, 'A.orderer')").is_ok());
    }

    #[test]
    fn explains_what_is_wrong() {
        for (text, error) in [
            ("", "invalid policy string ''"),
            ("'A.member'", "invalid policy string ''A.member''"),
            ("OR('A.member'", "invalid policy string 'OR('A.member''"),
            ("OR('A.member)", "invalid policy string 'OR('A.member)'"),
            ("OR('A.member') x", "invalid policy string 'OR('A.member') x'"),
            ("XOR('A.member')", "unrecognized token 'XOR' in policy string"),
            ("OR(A.member)", "unrecognized token 'A' in policy string"),
            ("OR('A.member' 'B.member')", "unrecognized token ''B.member')' in policy string"),
            ("OR('A.boss')", "error parsing principal A.boss"),
            ("OR('.member')", "error parsing principal .member"),
            ("OR('A_B.member')", "error parsing principal A_B.member"),
            ("OR('member')", "error parsing principal member"),
            ("OutOf(3, 'A.member')", "invalid t-out-of-n predicate, t 3, n 1"),
            ("OutOf(-1, 'A.member')", "invalid t-out-of-n predicate, t -1, n 1"),
            ("OutOf(9999999999, 'A.member')", "invalid t-out-of-n predicate, t 9999999999, n 1"),
            ("OutOf(1)", "expected at least two arguments to NOutOf. Given 1"),
            ("OR()", "expected at least two arguments to NOutOf. Given 0"),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), error, "{text}");
        }
        assert_eq!(parse(&"OR(".repeat(1000)), Err(TextError::TooDeep));
    }

    #[test]
    fn writes_what_it_can_say() {
        let text = "OutOf(2, 'A.peer', OR('B.admin', 'C.client'), AND('D.orderer', 'E.member'))";
        assert_eq!(print(&parse(text).expect("a policy")).as_deref(), Some(text));
        let unit = MspPrincipal { principal_classification: 1, principal: Default::default() };
        let envelope =
            SignaturePolicyEnvelope { version: 0, rule: Some(out_of(1, vec![signed_by(0)])), identities: vec![unit] };
        assert_eq!(print(&envelope), None);
    }

    fn expressions() -> impl Strategy<Value = String> {
        let leaf = ("[A-D]", prop_oneof![Just("member"), Just("admin"), Just("peer")])
            .prop_map(|(msp, role)| format!("'{msp}.{role}'"));
        leaf.prop_recursive(4, 24, 4, |inner| {
            (prop::collection::vec(inner, 1..5), any::<prop::sample::Index>()).prop_map(|(parts, needed)| {
                let needed = needed.index(parts.len() + 2);
                format!("OutOf({needed}, {})", parts.join(", "))
            })
        })
        .prop_filter("an expression", |text| text.starts_with("OutOf"))
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(text in expressions()) {
            let envelope = parse(&text).expect("a policy");
            let printed = print(&envelope).expect("a text");
            prop_assert_eq!(parse(&printed), Ok(envelope));
        }

        #[test]
        fn never_panics(text in "[AORNDoutf'\"(),.0-9 a-zé-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
