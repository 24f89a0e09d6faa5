//! What each route of the API takes and answers.

/// One method of one route.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [&'static str],
    pub(super) headers: &'static [&'static str],
    /// The schema of the body.
    pub(super) body: Option<&'static str>,
    /// By status; what is wrong with a request is added to all.
    pub(super) answers: &'static [(&'static str, Answer)],
}

/// What a response carries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Nothing,
    Json(&'static str),
    /// Some of a list, by this schema.
    Page(&'static str),
    /// All of a list, by this schema.
    List(&'static str),
    Text(&'static str),
    Problem,
}

const NO_CHANGE: (&str, Answer) = ("304", Answer::Nothing);
const REMOVED: (&str, Answer) = ("204", Answer::Nothing);

const fn operation(
    method: &'static str,
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    answers: &'static [(&'static str, Answer)],
) -> Operation {
    Operation {
        path,
        method,
        name,
        summary,
        query: &[],
        headers: &[],
        body: None,
        answers,
    }
}

impl Operation {
    const fn query(mut self, names: &'static [&'static str]) -> Self {
        self.query = names;
        self
    }

    const fn headers(mut self, names: &'static [&'static str]) -> Self {
        self.headers = names;
        self
    }

    const fn body(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self
    }
}

/// The six operations of a kind of row.
macro_rules! rows {
    ($path:literal, $one:literal, $many:literal, $filters:expr) => {
        [
            operation(
                "get",
                $path,
                concat!("list", $many),
                "A page of the rows that pass the filters",
                &[("200", Answer::Page($one))],
            )
            .query($filters),
            operation(
                "post",
                $path,
                concat!("create", $one),
                "Adds a row",
                &[("201", Answer::Json($one))],
            )
            .body(concat!($one, "Fields")),
            operation(
                "get",
                concat!($path, "/{id:u64}"),
                concat!("read", $one),
                "One row",
                &[("200", Answer::Json($one)), NO_CHANGE],
            )
            .headers(&["If-None-Match"]),
            operation(
                "put",
                concat!($path, "/{id:u64}"),
                concat!("replace", $one),
                "All fields of a row anew",
                &[("200", Answer::Json($one))],
            )
            .headers(&["If-Match"])
            .body(concat!($one, "Fields")),
            operation(
                "patch",
                concat!($path, "/{id:u64}"),
                concat!("patch", $one),
                "Some fields of a row (RFC 7396)",
                &[("200", Answer::Json($one))],
            )
            .headers(&["If-Match"])
            .body(concat!($one, "Patch")),
            operation(
                "delete",
                concat!($path, "/{id:u64}"),
                concat!("remove", $one),
                "Removes a row",
                &[REMOVED],
            )
            .headers(&["If-Match"]),
        ]
    };
}

static AUTHORS: [Operation; 6] = rows!(
    "/authors",
    "Author",
    "Authors",
    &["limit", "offset", "name"]
);
static BOOKS: [Operation; 6] = rows!("/books", "Book", "Books", BOOK_FILTERS);
static CUSTOMERS: [Operation; 6] = rows!(
    "/customers",
    "Customer",
    "Customers",
    &["limit", "offset", "name", "email"]
);
static REVIEWS: [Operation; 6] = rows!("/reviews", "Review", "Reviews", REVIEW_FILTERS);

const BOOK_FILTERS: &[&str] = &["limit", "offset", "author_id", "genre", "title"];
const REVIEW_FILTERS: &[&str] = &["limit", "offset", "book_id", "rating", "reviewer"];
const ORDER_FILTERS: &[&str] = &["limit", "offset", "status"];

static OTHERS: [Operation; 24] = [
    operation(
        "get",
        "/",
        "index",
        "Where to go from here",
        &[("200", Answer::Json("Index"))],
    ),
    operation(
        "get",
        "/openapi.json",
        "document",
        "This document",
        &[("200", Answer::Json("Anything"))],
    ),
    operation(
        "get",
        "/authors/{id:u64}/books",
        "listBooksOfAuthor",
        "An author's books",
        &[("200", Answer::Page("Book"))],
    )
    .query(BOOK_FILTERS),
    operation(
        "get",
        "/books/{id:u64}/reviews",
        "listReviewsOfBook",
        "A book's reviews",
        &[("200", Answer::Page("Review"))],
    )
    .query(REVIEW_FILTERS),
    operation(
        "post",
        "/books/{id:u64}/reviews",
        "createReviewOfBook",
        "Reviews a book",
        &[("201", Answer::Json("Review"))],
    )
    .body("ReviewOfBook"),
    operation(
        "get",
        "/books/{id:u64}/stock",
        "readStock",
        "Copies on the shelf",
        &[("200", Answer::Json("Stock"))],
    ),
    operation(
        "put",
        "/books/{id:u64}/stock",
        "setStock",
        "Counts the shelf anew",
        &[("200", Answer::Json("Stock"))],
    )
    .body("Stock"),
    operation(
        "get",
        "/books/isbn/{isbn:digit}",
        "readBookByIsbn",
        "The book of an ISBN",
        &[("200", Answer::Json("Book"))],
    ),
    operation(
        "get",
        "/books/published/{from:i32}-{to:i32}",
        "listBooksByYear",
        "Books of some years",
        &[("200", Answer::Page("Book"))],
    )
    .query(BOOK_FILTERS),
    operation(
        "get",
        "/covers/{id:u64}-{width:u16}.svg",
        "drawCover",
        "A book's cover",
        &[("200", Answer::Text("image/svg+xml"))],
    ),
    operation(
        "get",
        "/customers/{id:u64}/orders",
        "listOrdersOfCustomer",
        "A customer's orders",
        &[("200", Answer::Page("Order"))],
    )
    .query(ORDER_FILTERS),
    operation(
        "get",
        "/export/{table:alpha}.csv",
        "exportTable",
        "A table as CSV",
        &[("200", Answer::Text("text/csv; charset=utf-8"))],
    ),
    operation(
        "get",
        "/genres",
        "listGenres",
        "How many books there are of each genre",
        &[("200", Answer::List("GenreCount"))],
    ),
    operation(
        "get",
        "/genres/{genre:[a-z]+}",
        "listBooksOfGenre",
        "A genre's books",
        &[("200", Answer::Page("Book"))],
    )
    .query(BOOK_FILTERS),
    operation(
        "get",
        "/orders",
        "listOrders",
        "A page of the orders",
        &[("200", Answer::Page("Order"))],
    )
    .query(ORDER_FILTERS),
    operation(
        "post",
        "/orders",
        "placeOrder",
        "Takes books from the shelf",
        &[("201", Answer::Json("Order"))],
    )
    .body("Basket"),
    operation(
        "get",
        "/orders/{id:u64}",
        "readOrder",
        "One order",
        &[("200", Answer::Json("Order")), NO_CHANGE],
    )
    .headers(&["If-None-Match"]),
    operation(
        "delete",
        "/orders/{id:u64}",
        "removeOrder",
        "Removes an order that is cancelled",
        &[REMOVED],
    )
    .headers(&["If-Match"]),
    operation(
        "post",
        "/orders/{id:u64}/pay",
        "payOrder",
        "Pays an order",
        &[("200", Answer::Json("Order"))],
    ),
    operation(
        "post",
        "/orders/{id:u64}/ship",
        "shipOrder",
        "Ships an order that is paid",
        &[("200", Answer::Json("Order"))],
    ),
    operation(
        "post",
        "/orders/{id:u64}/cancel",
        "cancelOrder",
        "Puts the books back",
        &[("200", Answer::Json("Order"))],
    ),
    operation(
        "get",
        "/orders/{id:u64}/invoice.txt",
        "readInvoice",
        "An order's invoice",
        &[("200", Answer::Text("text/plain; charset=utf-8"))],
    ),
    operation(
        "get",
        "/search",
        "search",
        "Authors, books and reviews that contain a text",
        &[("200", Answer::Page("Hit"))],
    )
    .query(&["limit", "offset", "q"]),
    operation(
        "get",
        "/stats",
        "readStatistics",
        "How much there is of everything",
        &[("200", Answer::Json("Statistics"))],
    ),
];

/// Every operation of the API.
pub(super) fn all() -> impl Iterator<Item = &'static Operation> {
    OTHERS
        .iter()
        .chain(&AUTHORS)
        .chain(&BOOKS)
        .chain(&CUSTOMERS)
        .chain(&REVIEWS)
}
