//! Patterns of files: `*`, `?` and `[a-z]` within a name, `**` for any number of folders.

/// Whether the path, relative and with `/`, fits the pattern.
pub(in crate::executor) fn fits(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let path: Vec<&str> = path.split('/').collect();
    folders(&pattern, &path)
}

fn folders(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        // A row of them means what one means.
        (Some((&"**", rest)), _) if rest.first() == Some(&"**") => folders(rest, path),
        (Some((&"**", rest)), _) => {
            (0..=path.len()).any(|skipped| folders(rest, path.get(skipped..).unwrap_or_default()))
        }
        (Some((name, patterns)), Some((part, parts))) => {
            let (name, part): (Vec<char>, Vec<char>) =
                (name.chars().collect(), part.chars().collect());
            within(&name, &part) && folders(patterns, parts)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Within one name. Goes back to the newest star alone, so that the work is bounded by the product of both lengths.
fn within(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, place));
            at += 1;
            continue;
        }
        let next = name.get(place).and_then(|c| one(pattern, at, *c));
        match (next, star) {
            (Some(next), _) => {
                at = next;
                place += 1;
            }
            (None, Some((from, taken))) => {
                star = Some((from, taken + 1));
                at = from + 1;
                place = taken + 1;
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

/// The place behind the item of the pattern that takes this character.
fn one(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '[' => class(pattern, at + 1, c),
        own => (*own == c).then_some(at + 1),
    }
}

/// `[abc]`, `[a-z]`, `[!abc]`; a `]` at its beginning is one of its characters.
fn class(pattern: &[char], mut at: usize, c: char) -> Option<usize> {
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let (first, mut taken) = (at, false);
    loop {
        let low = *pattern.get(at)?;
        if low == ']' && at > first {
            return (taken != negated).then_some(at + 1);
        }
        let high = pattern.get(at + 2).copied().filter(|high| *high != ']');
        match high.filter(|_| pattern.get(at + 1) == Some(&'-')) {
            Some(high) => {
                taken |= (low..=high).contains(&c);
                at += 3;
            }
            None => {
                taken |= low == c;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, path) in [
            ("*.csv", "a.csv"),
            ("./plots/*.png", "plots/a.png"),
            ("**/*.png", "a.png"),
            ("**/*.png", "a/b/c.png"),
            ("a/**", "a/b/c"),
            ("**/**/c", "a/b/c"),
            ("a/**/c", "a/c"),
            ("fit_?.[ch][!a-c]*", "fit_1.cpp"),
            ("[]x]", "]"),
            ("a*b*c", "abbbbc"),
            ("é?", "éß"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("*.csv", "a/b.csv"),
            ("*.csv", "a.csvx"),
            ("a/**/c", "a/c/d"),
            ("[a-c]", "d"),
            ("[!a-c]", "a"),
            ("?", ""),
            ("a", "b"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
        assert!(!fits(&"a*".repeat(2_000), &"a".repeat(250)));
    }
}
