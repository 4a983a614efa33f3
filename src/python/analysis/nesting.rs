//! How deep a text nests, measured on its tokens before anything recursive sees it.
//!
//! The tree of `a.a.a.…` or `1+1+1+…` is as deep as the text is long, and walking or even dropping such a
//! tree takes stack for each level. So the depth is bounded first, from above: every token that can open a
//! level of the tree counts, within one element of one bracket.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// Deepest tree that is analysed, in levels. CPython itself stops at 200 brackets and 100 indentations.
pub(super) const NESTING_MAX: usize = 256;

#[derive(Default)]
struct Level {
    closer: Option<TokenKind>,
    /// Tokens that may add a level, in the element that is being read.
    chain: usize,
    /// Depth of the deepest bracket closed in that element.
    inside: usize,
}

/// Whether the tree of `code` may be deeper than [`NESTING_MAX`]. The lexer does not say where.
pub(super) fn too_deep(code: &str) -> bool {
    let mut tokens = lexer::lex(code, Mode::Module);
    let mut indentation = 0usize;
    let mut outer = 0usize;
    let mut levels: Vec<Level> = Vec::new();
    let mut current = Level::default();
    let mut after_operand = false;
    loop {
        let token = tokens.next_token();
        let operand = starts_operand(token);
        if let Some(closer) = closer_of(token) {
            current.chain += 1;
            outer += current.chain;
            levels.push(std::mem::take(&mut current));
            current.closer = Some(closer);
        } else if Some(token) == current.closer {
            let depth = current.chain.max(1) + current.inside;
            current = levels.pop().unwrap_or_default();
            outer = outer.saturating_sub(current.chain);
            current.inside = current.inside.max(depth);
        } else if token == TokenKind::Newline {
            (current, outer) = (Level::default(), 0);
            levels.clear();
        } else if token == TokenKind::Indent {
            indentation += 1;
        } else if token == TokenKind::Dedent {
            indentation = indentation.saturating_sub(1);
        } else if token == TokenKind::EndOfFile {
            return false;
        } else if !levels.is_empty() && (token == TokenKind::Comma || (operand && after_operand)) {
            (current.chain, current.inside) = (0, 0);
        } else if adds_level(token) {
            current.chain += 1;
        }
        if indentation + outer + current.chain + current.inside > NESTING_MAX {
            return true;
        }
        if !matches!(token, TokenKind::Comment | TokenKind::NonLogicalNewline) {
            after_operand = operand || ends_operand(token);
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only brackets matter among the parser's tokens"
)]
fn closer_of(token: TokenKind) -> Option<TokenKind> {
    match token {
        TokenKind::Lpar => Some(TokenKind::Rpar),
        TokenKind::Lsqb => Some(TokenKind::Rsqb),
        TokenKind::Lbrace => Some(TokenKind::Rbrace),
        TokenKind::FStringStart => Some(TokenKind::FStringEnd),
        TokenKind::TStringStart => Some(TokenKind::TStringEnd),
        _ => None,
    }
}

fn starts_operand(token: TokenKind) -> bool {
    matches!(
        token,
        TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::True
            | TokenKind::False
            | TokenKind::None
    )
}

fn ends_operand(token: TokenKind) -> bool {
    matches!(token, TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace)
}

fn adds_level(token: TokenKind) -> bool {
    !matches!(
        token,
        TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::Comma
            | TokenKind::True
            | TokenKind::False
            | TokenKind::None
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_whatever_makes_it() {
        let deep = [
            "(".repeat(300) + &")".repeat(300),
            "[".repeat(100_000),
            "a".to_owned() + &".a".repeat(300),
            "1".to_owned() + &"+1".repeat(300),
            "not ".repeat(300) + "x",
            "lambda: ".repeat(300) + "x",
            "if a: ".repeat(300) + "x",
            "class A: ".repeat(300) + "pass",
            "x = f".to_owned() + &"()".repeat(300),
            "x = f".to_owned() + &"({".repeat(200) + "1",
            "a if b else ".repeat(300) + "c",
            (0..300)
                .map(|depth| " ".repeat(depth) + "if a:\n")
                .collect(),
            "f\"{".repeat(200) + "x",
            "(-".repeat(100) + "(1+1+1+1)" + &")+1".repeat(100),
            "[".repeat(150) + "0" + &"].a".repeat(150),
        ];
        for code in deep {
            let head: String = code.chars().take(40).collect();
            assert!(too_deep(&code), "{head}");
        }
    }

    #[test]
    fn length_alone_is_not_depth() {
        let wide = [
            "[".to_owned() + &"-1.5, a.b, f(x), ".repeat(5_000) + "]",
            "x = 1 + 2\n".repeat(5_000),
            "f(\n".to_owned() + &"y = a.b + 1\n".repeat(1_000),
            "if a:\n    b = 1\nelif c:\n    d = 2\n".repeat(500),
            "d = {".to_owned() + &"'key': [1, 2, {'a': -1}],\n".repeat(2_000) + "}",
            "s = (".to_owned() + &"'text'\n".repeat(3_000) + ")",
        ];
        for code in wide {
            let head: String = code.chars().take(40).collect();
            assert!(!too_deep(&code), "{head}");
        }
    }
}
