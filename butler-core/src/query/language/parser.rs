//! Tokens to a tree: recursive descent into parentheses and calls, and within them by the binding
//! strength of operators.
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
pub const MAX_DEPTH: usize = 200;

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
    let node = parser.expression()?;
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

    /// The node with this operator between two others.
    fn join<'a>(self, lhs: Node<'a>, rhs: Node<'a>) -> NodeKind<'a> {
        match self {
            Self::Or => NodeKind::Or(vec![lhs, rhs]),
            Self::And => NodeKind::And(vec![lhs, rhs]),
            Self::Comparison(operator) => NodeKind::Comparison {
                lhs: Box::new(lhs),
                operator,
                rhs: Box::new(rhs),
            },
            Self::Arithmetic(operator) => NodeKind::Arithmetic {
                lhs: Box::new(lhs),
                operator,
                rhs: Box::new(rhs),
            },
            Self::Membership { negated } => NodeKind::In {
                member: Box::new(lhs),
                values: vec![rhs],
                negated,
            },
        }
    }
}

/// An operator that waits for what stands to its right.
enum Pending<'a> {
    Infix(Node<'a>, Infix),
    Not(Span),
    Sign { negative: bool, span: Span },
}

impl Pending<'_> {
    const fn level(&self) -> Level {
        match self {
            Self::Infix(_, infix) => infix.level(),
            Self::Not(_) => Level::Not,
            Self::Sign { .. } => Level::Signed,
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

    /// Goes one level deeper to an expression in parentheses.
    fn inner_expression(&mut self) -> Parsed<'a> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep(self.peek().span));
        }
        self.depth += 1;
        let parsed = self.expression();
        self.depth -= 1;
        parsed
    }

    /// An expression, as far as it goes.
    fn expression(&mut self) -> Parsed<'a> {
        let mut pending = Vec::new();
        loop {
            self.prefixes(&mut pending);
            let mut lhs = self.primary()?;
            let mut level = Level::Signed;
            loop {
                let next = self.infix();
                // What waits and binds as strongly as the next operator has its right side now.
                while let Some(waiting) = pending.pop_if(|waiting| {
                    next.is_none_or(|(infix, _)| waiting.level() >= infix.level())
                }) {
                    level = waiting.level();
                    lhs = reduce(waiting, lhs)?;
                }
                let Some((infix, n_tokens)) = next else {
                    return Ok(lhs);
                };
                // `a IN (1)` is no operand of arithmetic or of another IN.
                let is_membership = matches!(infix, Infix::Membership { .. });
                if level < infix.level() || (is_membership && level == Level::Membership) {
                    let found = self.peek();
                    return Err(Problem::new(
                        found.span,
                        format!("a condition with IN cannot be followed by {}", found.kind),
                    ));
                }
                if let Infix::Membership { negated } = infix {
                    self.at += n_tokens;
                    lhs = self.membership(lhs, negated)?;
                    level = Level::Membership;
                    continue;
                }
                self.at += n_tokens;
                pending.push(Pending::Infix(lhs, infix));
                break;
            }
        }
    }

    /// The signs and negations before an operand.
    fn prefixes(&mut self, pending: &mut Vec<Pending<'a>>) {
        loop {
            let token = self.peek();
            let prefix = match token.kind {
                // A negation is no operand of a comparison or of arithmetic.
                TokenKind::Keyword(Keyword::Not)
                    if pending.last().is_none_or(|last| last.level() <= Level::Not) =>
                {
                    Pending::Not(token.span)
                }
                TokenKind::Symbol(sign @ (Symbol::Plus | Symbol::Minus)) => Pending::Sign {
                    negative: sign == Symbol::Minus,
                    span: token.span,
                },
                _ => return,
            };
            self.advance();
            pending.push(prefix);
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
            return node(kind, span);
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
        let first = self.inner_expression()?;
        let kind = if self.take_symbol(Symbol::Comma).is_some() {
            let second = self.inner_expression()?;
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
        node(kind, start.to(end))
    }

    /// The arguments of a function whose name has just been read.
    fn call(&mut self, name: &'a str, name_span: Span) -> Parsed<'a> {
        self.advance();
        let mut arguments = Vec::new();
        if !self.is_symbol(Symbol::RightParen) {
            loop {
                arguments.push(self.inner_expression()?);
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
        node(kind, name_span.to(end))
    }
}

/// The node of an operator whose right side has been read.
fn reduce<'a>(waiting: Pending<'a>, rhs: Node<'a>) -> Parsed<'a> {
    let (kind, span) = match waiting {
        Pending::Not(span) => {
            let span = span.to(rhs.span);
            (NodeKind::Not(Box::new(rhs)), span)
        }
        Pending::Sign { negative, span } => {
            let span = span.to(rhs.span);
            let operand = Box::new(rhs);
            (NodeKind::Signed { negative, operand }, span)
        }
        Pending::Infix(lhs, infix) => {
            let span = lhs.span.to(rhs.span);
            let kind = match (infix, lhs.kind) {
                (Infix::Or, NodeKind::Or(nodes)) => {
                    return row(lhs.height, nodes, rhs, span, NodeKind::Or);
                }
                (Infix::And, NodeKind::And(nodes)) => {
                    return row(lhs.height, nodes, rhs, span, NodeKind::And);
                }
                (infix, kind) => infix.join(Node { kind, ..lhs }, rhs),
            };
            (kind, span)
        }
    };
    node(kind, span)
}

/// A row of the same operator, with one more operand.
fn row<'a>(
    height: usize,
    mut nodes: Vec<Node<'a>>,
    next: Node<'a>,
    span: Span,
    kind: impl FnOnce(Vec<Node<'a>>) -> NodeKind<'a>,
) -> Parsed<'a> {
    let height = height.max(next.height + 1);
    nodes.push(next);
    checked(Node {
        kind: kind(nodes),
        span,
        height,
    })
}

/// A node, unless it is too tall.
fn node(kind: NodeKind<'_>, span: Span) -> Parsed<'_> {
    checked(Node::new(kind, span))
}

fn checked(node: Node<'_>) -> Parsed<'_> {
    if node.height > MAX_DEPTH {
        return Err(too_deep(node.span));
    }
    Ok(node)
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
