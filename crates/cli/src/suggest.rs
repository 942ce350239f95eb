//! What may have been meant.

/// How many letters have to be changed, added or dropped, whatever their case.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

/// The known word that is most like this one, if any is.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|one| (distance(word, one), one));
    near.filter(|(far, one)| *far <= 2.max(one.len().min(word.len()) / 3)).min().map(|(_, one)| one)
}

/// `a, b and c; hint: did you mean b?`, for the end of an error about a word that is none of these.
pub(crate) fn instead(word: &str, known: &[String]) -> String {
    let list = known.join(", ");
    match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => format!("{list}; hint: did you mean {near}?"),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["basic", "token", "asset-transfer"];
        for (word, meant) in [
            ("basci", Some("basic")),
            ("BASIC", Some("basic")),
            ("tokn", Some("token")),
            ("asset_transfers", Some("asset-transfer")),
            ("x", None),
            ("marbles", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
