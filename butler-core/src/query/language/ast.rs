//! The tree that the parser makes of an expression, before names are interpreted.

use uuid::Uuid;

use super::token::Span;

/// A part of an expression, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// What it is.
    pub kind: NodeKind<'a>,
    /// Where it stands.
    pub span: Span,
    /// The number of nodes from here to the deepest leaf.
    pub(super) height: usize,
}

/// What a part of an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind<'a> {
    /// `a OR b OR …`.
    Or(Vec<Node<'a>>),
    /// `a AND b AND …`.
    And(Vec<Node<'a>>),
    /// `NOT a`.
    Not(Box<Node<'a>>),
    /// A comparison, or `OVERLAPS`.
    Comparison {
        /// The left side.
        lhs: Box<Node<'a>>,
        /// How they are compared.
        operator: ComparisonSign,
        /// The right side.
        rhs: Box<Node<'a>>,
    },
    /// `member IN (values)`.
    In {
        /// What is looked for.
        member: Box<Node<'a>>,
        /// Literals, names and binds.
        values: Vec<Node<'a>>,
        /// Whether it is `NOT IN`.
        negated: bool,
    },
    /// `lhs + rhs` and the like.
    Arithmetic {
        /// The left side.
        lhs: Box<Node<'a>>,
        /// The operation.
        operator: ArithmeticSign,
        /// The right side.
        rhs: Box<Node<'a>>,
    },
    /// `+a` or `-a`.
    Signed {
        /// Whether the sign is a minus.
        negative: bool,
        /// What follows the sign.
        operand: Box<Node<'a>>,
    },
    /// `(a)`.
    Parens(Box<Node<'a>>),
    /// `(begin, end)`.
    Tuple(Box<[Node<'a>; 2]>),
    /// A call of a function, with as many arguments as it takes.
    Call {
        /// The function.
        function: Function,
        /// Its arguments.
        arguments: Vec<Node<'a>>,
    },
    /// A name with at most two dots.
    Identifier(&'a str),
    /// `:name`.
    Bind(&'a str),
    /// An integer.
    Int(i64),
    /// A number with a decimal point or exponent; finite.
    Float(f64),
    /// A string.
    Str(&'a str),
    /// A time, in TAI ns within the range repositories can store.
    Time(i64),
    /// A UUID.
    Uuid(Uuid),
    /// A range of integers, both ends inclusive.
    Range {
        /// The first value.
        start: i64,
        /// The last value.
        stop: i64,
        /// The distance between values, at least 1.
        stride: i64,
    },
}

/// How two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ComparisonSign {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Overlaps,
}

/// Operations on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ArithmeticSign {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// The functions of the language, other than `UUID`, which is a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `POINT(ra, dec)`, in degrees.
    Point,
    /// `CIRCLE(ra, dec, radius)`, in degrees.
    Circle,
    /// `BOX(ra, dec, width, height)`: centre and size in degrees.
    Box,
    /// `POLYGON(ra1, dec1, ra2, dec2, ra3, dec3, …)`: the convex hull of vertices in degrees.
    Polygon,
    /// `REGION(pos)`, in the notation of the POS parameter of IVOA's SIA protocol, version 2.
    Region,
    /// `GLOB(column, pattern)`.
    Glob,
}

impl Function {
    /// Its name in capitals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Point => "POINT",
            Self::Circle => "CIRCLE",
            Self::Box => "BOX",
            Self::Polygon => "POLYGON",
            Self::Region => "REGION",
            Self::Glob => "GLOB",
        }
    }
}

impl<'a> Node<'a> {
    /// A node; its height follows from its children's.
    pub(super) fn new(kind: NodeKind<'a>, span: Span) -> Self {
        let tallest = |nodes: &[Self]| nodes.iter().map(|node| node.height).max().unwrap_or(0);
        let below = match &kind {
            NodeKind::Or(nodes) | NodeKind::And(nodes) => tallest(nodes),
            NodeKind::Not(node)
            | NodeKind::Parens(node)
            | NodeKind::Signed { operand: node, .. } => node.height,
            NodeKind::Comparison { lhs, rhs, .. } | NodeKind::Arithmetic { lhs, rhs, .. } => {
                lhs.height.max(rhs.height)
            }
            NodeKind::In { member, values, .. } => member.height.max(tallest(values)),
            NodeKind::Tuple(nodes) => tallest(&**nodes),
            NodeKind::Call { arguments, .. } => tallest(arguments),
            _ => 0,
        };
        Self {
            kind,
            span,
            height: below + 1,
        }
    }

    /// The node inside of all parentheses around it.
    #[must_use]
    pub fn without_parens(&self) -> &Self {
        let mut node = self;
        while let NodeKind::Parens(inner) = &node.kind {
            node = inner;
        }
        node
    }
}
