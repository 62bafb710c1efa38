//! Tokens to a tree: recursive descent, by the binding strength of operators.
//!
//! The grammar, from the weakest binding to the strongest:
//!
//! ```text
//! or          = and { OR and }
//! and         = not { AND not }
//! not         = NOT not | comparison
//! comparison  = membership { ( = | != | < | <= | > | >= | OVERLAPS ) membership }
//! membership  = sum [ [ NOT ] IN "(" item { "," item } ")" ]
//! sum         = product { ( + | - ) product }
//! product     = signed { ( * | / | % ) signed }
//! signed      = ( + | - ) signed | primary
//! primary     = literal | identifier | :bind | name "(" [ or { "," or } ] ")"
//!             | "(" or ")" | "(" or "," or ")"
//! item        = literal | ( + | - ) number | name | :bind | UUID "(" string ")"
//! ```

use super::ast::{ArithmeticSign, ComparisonSign, Node, NodeKind};
use super::error::Problem;
use super::functions;
use super::lexer::tokenize;
use super::literals;
use super::token::{Keyword, Span, Symbol, Token, TokenKind};

/// How deep parts of an expression may be nested. It keeps all that walks over the tree well
/// within the smallest stacks in use.
pub const MAX_DEPTH: usize = 250;

/// Parses an expression; `None` if it is empty.
///
/// The time is linear in the length of the text.
///
/// # Errors
/// A [`Problem`] at the first place where the text is not an expression.
pub fn parse(text: &str) -> Result<Option<Node<'_>>, Problem> {
    let mut parser = Parser {
        tokens: tokenize(text)?,
        at: 0,
        depth: 0,
    };
    if parser.peek().kind == TokenKind::End {
        return Ok(None);
    }
    let node = parser.expression(Level::Or)?;
    if parser.peek().kind != TokenKind::End {
        return Err(parser.expected_after(&node, "the end of the expression"));
    }
    Ok(Some(node))
}

/// How strongly an operator binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Comparison,
    Membership,
    Sum,
    Product,
    Signed,
}

impl Level {
    /// The next stronger level: what stands to the right of an operator of this level.
    const fn stronger(self) -> Self {
        match self {
            Self::Or => Self::And,
            Self::And => Self::Not,
            Self::Not => Self::Comparison,
            Self::Comparison => Self::Membership,
            Self::Membership => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product | Self::Signed => Self::Signed,
        }
    }
}

#[derive(Clone, Copy)]
enum Infix {
    Or,
    And,
    Comparison(ComparisonSign),
    Membership { negated: bool },
    Arithmetic(ArithmeticSign),
}

impl Infix {
    const fn level(self) -> Level {
        match self {
            Self::Or => Level::Or,
            Self::And => Level::And,
            Self::Comparison(_) => Level::Comparison,
            Self::Membership { .. } => Level::Membership,
            Self::Arithmetic(ArithmeticSign::Add | ArithmeticSign::Subtract) => Level::Sum,
            Self::Arithmetic(_) => Level::Product,
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
}

type Parsed<'a> = Result<Node<'a>, Problem>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.peek_at(0)
    }

    /// The token `ahead` of the next; beyond the end there are ends.
    fn peek_at(&self, ahead: usize) -> Token<'a> {
        let last = self.tokens.len() - 1;
        self.tokens[(self.at + ahead).min(last)]
    }

    fn advance(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn is_symbol(&self, symbol: Symbol) -> bool {
        self.peek().kind == TokenKind::Symbol(symbol)
    }

    fn take_symbol(&mut self, symbol: Symbol) -> Option<Span> {
        self.is_symbol(symbol).then(|| self.advance().span)
    }

    fn expected(&self, what: &str) -> Problem {
        let found = self.peek();
        Problem::new(found.span, format!("expected {what}, found {}", found.kind))
    }

    /// The problem of a token that may not follow `node`, with a hint where one can be given.
    fn expected_after(&self, node: &Node<'a>, what: &str) -> Problem {
        let found = self.peek();
        let hint = match found.kind {
            TokenKind::Name(name) => match name.to_ascii_uppercase().as_str() {
                "IS" => "; write = NULL or != NULL instead of IS NULL",
                "LIKE" => "; write GLOB(column, 'pattern'), with * and ? as wildcards",
                "BETWEEN" => "; write IN (first..last) for integers, or two comparisons",
                _ => "",
            },
            TokenKind::Str(_) if matches!(&node.kind, NodeKind::Str(_)) => {
                "; a string cannot contain a quote, bind the value instead"
            }
            _ => "",
        };
        Problem::new(
            found.span,
            format!("expected an operator or {what}, found {}{hint}", found.kind),
        )
    }

    /// A node, unless it is too tall.
    fn node(kind: NodeKind<'a>, span: Span) -> Parsed<'a> {
        let node = Node::new(kind, span);
        if node.height > MAX_DEPTH {
            return Err(too_deep(span));
        }
        Ok(node)
    }

    /// Runs `parse` one level deeper.
    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep(self.peek().span));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// An expression whose operators bind at least as strongly as `weakest`.
    fn expression(&mut self, weakest: Level) -> Parsed<'a> {
        let (mut lhs, mut level) = self.prefix(weakest)?;
        while let Some((infix, n_tokens)) = self.infix() {
            let binds = infix.level();
            // What is left of an operator binds more strongly than it, or as strongly if the
            // operator may be repeated.
            let fits = match infix {
                Infix::Membership { .. } => level > binds,
                _ => level >= binds,
            };
            if binds < weakest || !fits {
                break;
            }
            self.at += n_tokens;
            lhs = self.combine(lhs, infix)?;
            level = binds;
        }
        Ok(lhs)
    }

    /// What stands before the first operator, and how strongly it binds.
    fn prefix(&mut self, weakest: Level) -> Result<(Node<'a>, Level), Problem> {
        let token = self.peek();
        match token.kind {
            TokenKind::Keyword(Keyword::Not) if weakest <= Level::Not => {
                self.advance();
                let operand = self.deeper(|parser| parser.expression(Level::Not))?;
                let span = token.span.to(operand.span);
                Ok((
                    Self::node(NodeKind::Not(Box::new(operand)), span)?,
                    Level::Not,
                ))
            }
            TokenKind::Symbol(sign @ (Symbol::Plus | Symbol::Minus)) => {
                self.advance();
                let operand = self.deeper(|parser| parser.expression(Level::Signed))?;
                let span = token.span.to(operand.span);
                let kind = NodeKind::Signed {
                    negative: sign == Symbol::Minus,
                    operand: Box::new(operand),
                };
                Ok((Self::node(kind, span)?, Level::Signed))
            }
            _ => Ok((self.primary()?, Level::Signed)),
        }
    }

    /// The operator that comes next, and how many tokens it has.
    fn infix(&self) -> Option<(Infix, usize)> {
        let one = |infix| Some((infix, 1));
        let compare = |sign| one(Infix::Comparison(sign));
        let arithmetic = |sign| one(Infix::Arithmetic(sign));
        match self.peek().kind {
            TokenKind::Keyword(keyword) => match keyword {
                Keyword::Or => one(Infix::Or),
                Keyword::And => one(Infix::And),
                Keyword::Overlaps => compare(ComparisonSign::Overlaps),
                Keyword::In => one(Infix::Membership { negated: false }),
                Keyword::Not => (self.peek_at(1).kind == TokenKind::Keyword(Keyword::In))
                    .then_some((Infix::Membership { negated: true }, 2)),
            },
            TokenKind::Symbol(symbol) => match symbol {
                Symbol::Equal => compare(ComparisonSign::Equal),
                Symbol::NotEqual => compare(ComparisonSign::NotEqual),
                Symbol::Less => compare(ComparisonSign::Less),
                Symbol::LessOrEqual => compare(ComparisonSign::LessOrEqual),
                Symbol::Greater => compare(ComparisonSign::Greater),
                Symbol::GreaterOrEqual => compare(ComparisonSign::GreaterOrEqual),
                Symbol::Plus => arithmetic(ArithmeticSign::Add),
                Symbol::Minus => arithmetic(ArithmeticSign::Subtract),
                Symbol::Times => arithmetic(ArithmeticSign::Multiply),
                Symbol::Divide => arithmetic(ArithmeticSign::Divide),
                Symbol::Modulo => arithmetic(ArithmeticSign::Modulo),
                Symbol::LeftParen | Symbol::RightParen | Symbol::Comma => None,
            },
            _ => None,
        }
    }

    /// What stands to the right of `infix`, joined with what stands to its left.
    fn combine(&mut self, lhs: Node<'a>, infix: Infix) -> Parsed<'a> {
        let kind = match infix {
            Infix::Membership { negated } => return self.membership(lhs, negated),
            Infix::Or => NodeKind::Or(self.chain(lhs, infix, Keyword::Or)?),
            Infix::And => NodeKind::And(self.chain(lhs, infix, Keyword::And)?),
            Infix::Arithmetic(operator) => {
                let rhs = self.expression(infix.level().stronger())?;
                return Self::binary(lhs, rhs, |lhs, rhs| NodeKind::Arithmetic {
                    lhs,
                    operator,
                    rhs,
                });
            }
            Infix::Comparison(operator) => {
                let rhs = self.expression(infix.level().stronger())?;
                return Self::binary(lhs, rhs, |lhs, rhs| NodeKind::Comparison {
                    lhs,
                    operator,
                    rhs,
                });
            }
        };
        let span = match &kind {
            NodeKind::Or(nodes) | NodeKind::And(nodes) => nodes[0].span.to(self.last_span()),
            _ => self.last_span(),
        };
        Self::node(kind, span)
    }

    fn binary(
        lhs: Node<'a>,
        rhs: Node<'a>,
        kind: impl FnOnce(Box<Node<'a>>, Box<Node<'a>>) -> NodeKind<'a>,
    ) -> Parsed<'a> {
        let span = lhs.span.to(rhs.span);
        Self::node(kind(Box::new(lhs), Box::new(rhs)), span)
    }

    /// All operands of a row of the same operator, of which the first one has just been read.
    fn chain(
        &mut self,
        first: Node<'a>,
        infix: Infix,
        keyword: Keyword,
    ) -> Result<Vec<Node<'a>>, Problem> {
        let mut nodes = vec![first];
        loop {
            nodes.push(self.expression(infix.level().stronger())?);
            if self.peek().kind != TokenKind::Keyword(keyword) {
                return Ok(nodes);
            }
            self.advance();
        }
    }

    /// The list after `IN`.
    fn membership(&mut self, member: Node<'a>, negated: bool) -> Parsed<'a> {
        if self.take_symbol(Symbol::LeftParen).is_none() {
            return Err(self.expected(
                "'(' after IN: the values, even a single bind name, stand in parentheses",
            ));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.item()?);
            if self.take_symbol(Symbol::Comma).is_some() {
                continue;
            }
            let Some(end) = self.take_symbol(Symbol::RightParen) else {
                return Err(self.expected("',' or ')' in the list of IN, which holds no operators"));
            };
            let span = member.span.to(end);
            let kind = NodeKind::In {
                member: Box::new(member),
                values,
                negated,
            };
            return Self::node(kind, span);
        }
    }

    /// One of the values in the list of `IN`.
    fn item(&mut self) -> Parsed<'a> {
        let wanted =
            "a literal, a name without dots, a :bind name or UUID('...') in the list of IN";
        let token = self.peek();
        match token.kind {
            TokenKind::Symbol(sign @ (Symbol::Plus | Symbol::Minus)) => {
                self.advance();
                let TokenKind::Number(digits) = self.peek().kind else {
                    return Err(self.expected("a number after the sign"));
                };
                let span = token.span.to(self.advance().span);
                // The sign belongs to the number here, so that the smallest integer can be given.
                Ok(Node::new(
                    literals::number(digits, sign == Symbol::Minus, span)?,
                    span,
                ))
            }
            TokenKind::Name(_) => {
                let node = self.primary()?;
                if matches!(node.kind, NodeKind::Call { .. } | NodeKind::Parens(_)) {
                    return Err(Problem::new(
                        node.span,
                        format!("expected {wanted}, found another function"),
                    ));
                }
                Ok(node)
            }
            TokenKind::Number(_)
            | TokenKind::Str(_)
            | TokenKind::Time(_)
            | TokenKind::Range { .. }
            | TokenKind::Bind(_) => self.primary(),
            _ => Err(self.expected(wanted)),
        }
    }

    /// A literal, a name, a call, or something in parentheses.
    fn primary(&mut self) -> Parsed<'a> {
        let token = self.advance();
        let kind = match token.kind {
            TokenKind::Symbol(Symbol::LeftParen) => return self.parenthesized(token.span),
            TokenKind::Name(name) if self.is_symbol(Symbol::LeftParen) => {
                return self.call(name, token.span);
            }
            TokenKind::Name(name) | TokenKind::QualifiedName(name) => NodeKind::Identifier(name),
            TokenKind::Bind(name) => NodeKind::Bind(name),
            TokenKind::Number(digits) => literals::number(digits, false, token.span)?,
            TokenKind::Str(text) => NodeKind::Str(text),
            TokenKind::Time(text) => NodeKind::Time(literals::time(text, token.span)?),
            TokenKind::Range {
                start,
                stop,
                stride,
            } => NodeKind::Range {
                start,
                stop,
                stride: stride.unwrap_or(1),
            },
            TokenKind::Symbol(_) | TokenKind::Keyword(_) | TokenKind::End => {
                return Err(self.no_operand(token));
            }
        };
        Ok(Node::new(kind, token.span))
    }

    fn no_operand(&self, found: Token<'a>) -> Problem {
        let before = self.at.checked_sub(2).map(|at| self.tokens[at].kind);
        let hint = match (before, found.kind) {
            (Some(TokenKind::Symbol(Symbol::Equal)), TokenKind::Symbol(Symbol::Equal)) => {
                "; equality is written with a single ="
            }
            (Some(TokenKind::Symbol(Symbol::Less)), TokenKind::Symbol(Symbol::Greater)) => {
                "; 'not equal' is written !="
            }
            (_, TokenKind::Keyword(Keyword::Not)) => {
                "; put parentheses around a condition with NOT"
            }
            _ => "",
        };
        Problem::new(
            found.span,
            format!(
                "expected a column, a literal, a :bind name, a function or '(', found {}{hint}",
                found.kind
            ),
        )
    }

    /// What follows an opening parenthesis: a group, or a pair.
    fn parenthesized(&mut self, start: Span) -> Parsed<'a> {
        let first = self.deeper(|parser| parser.expression(Level::Or))?;
        let kind = if self.take_symbol(Symbol::Comma).is_some() {
            let second = self.deeper(|parser| parser.expression(Level::Or))?;
            if self.is_symbol(Symbol::Comma) {
                return Err(self.expected("')' after the two bounds of a timespan"));
            }
            NodeKind::Tuple(Box::new([first, second]))
        } else {
            NodeKind::Parens(Box::new(first))
        };
        let Some(end) = self.take_symbol(Symbol::RightParen) else {
            let last = match &kind {
                NodeKind::Tuple(nodes) => &nodes[1],
                NodeKind::Parens(node) => node,
                _ => return Err(self.expected("')'")),
            };
            return Err(self.expected_after(last, "')'"));
        };
        Self::node(kind, start.to(end))
    }

    /// The arguments of a function whose name has just been read.
    fn call(&mut self, name: &'a str, name_span: Span) -> Parsed<'a> {
        self.advance();
        let mut arguments = Vec::new();
        if !self.is_symbol(Symbol::RightParen) {
            loop {
                arguments.push(self.deeper(|parser| parser.expression(Level::Or))?);
                if self.take_symbol(Symbol::Comma).is_none() {
                    break;
                }
            }
        }
        let Some(end) = self.take_symbol(Symbol::RightParen) else {
            return Err(match arguments.last() {
                Some(last) => self.expected_after(last, "',' or ')'"),
                None => self.expected("')'"),
            });
        };
        let kind = functions::call(name, name_span, arguments, name_span.to(end))?;
        Self::node(kind, name_span.to(end))
    }

    /// Where the token that was read last stands.
    fn last_span(&self) -> Span {
        self.tokens[self.at.saturating_sub(1).min(self.tokens.len() - 1)].span
    }
}

fn too_deep(span: Span) -> Problem {
    Problem::new(
        span,
        format!(
            "this is nested more than {MAX_DEPTH} levels deep; rows of AND or OR need no \
             parentheses, and lists of values can be given to IN"
        ),
    )
}

#[cfg(test)]
mod tests;
