//! What is on the shelves when the shop opens.

use super::{Author, Book, Customer, Genre, Line, Order, Review, Shop, Status};

const AUTHORS: [(&str, i32); 6] = [
    ("Mary Shelley", 1797),
    ("Ada Lovelace", 1815),
    ("Arthur Conan Doyle", 1859),
    ("Charles Darwin", 1809),
    ("Jane Austen", 1775),
    ("George Boole", 1815),
];

/// Title, place in [`AUTHORS`], ISBN, year, genre, cents, copies.
const BOOKS: [(&str, usize, &str, i32, Genre, u32, u32); 12] = [
    (
        "Frankenstein",
        0,
        "9780141439471",
        1818,
        Genre::Classic,
        899,
        12,
    ),
    (
        "The Last Man",
        0,
        "9780199552351",
        1826,
        Genre::Classic,
        1099,
        3,
    ),
    (
        "Notes on the Analytical Engine",
        1,
        "9781530472178",
        1843,
        Genre::Computing,
        1450,
        7,
    ),
    (
        "A Study in Scarlet",
        2,
        "9780140439083",
        1887,
        Genre::Mystery,
        799,
        9,
    ),
    (
        "The Sign of the Four",
        2,
        "9780140439076",
        1890,
        Genre::Mystery,
        799,
        5,
    ),
    (
        "The Hound of the Baskervilles",
        2,
        "9780140437867",
        1902,
        Genre::Mystery,
        850,
        14,
    ),
    (
        "On the Origin of Species",
        3,
        "9780140439120",
        1859,
        Genre::Science,
        1299,
        6,
    ),
    (
        "The Voyage of the Beagle",
        3,
        "9780140432688",
        1839,
        Genre::Science,
        1399,
        2,
    ),
    (
        "Pride and Prejudice",
        4,
        "9780141439518",
        1813,
        Genre::Classic,
        699,
        20,
    ),
    ("Emma", 4, "9780141439587", 1815, Genre::Classic, 749, 11),
    (
        "Persuasion",
        4,
        "9780141439686",
        1817,
        Genre::Classic,
        749,
        0,
    ),
    (
        "The Laws of Thought",
        5,
        "9781591020899",
        1854,
        Genre::Computing,
        1850,
        4,
    ),
];

/// Place in [`BOOKS`], reviewer, rating, text.
const REVIEWS: [(usize, &str, u8, &str); 5] = [
    (0, "Percy", 5, "Kept me up on a wet night at the lake."),
    (
        2,
        "Charles B.",
        5,
        "The appendix is better than the engine.",
    ),
    (5, "Dr Watson", 4, "Much as I remember it."),
    (6, "Thomas", 5, "How stupid not to have thought of that."),
    (
        8,
        "Elizabeth",
        4,
        "It is a truth universally acknowledged that one reads it twice.",
    ),
];

const CUSTOMERS: [(&str, &str); 3] = [
    ("Grace Hopper", "grace@example.com"),
    ("Alan Turing", "alan@example.com"),
    ("Emmy Noether", "emmy@example.com"),
];

/// Fills an empty shop.
pub(super) fn fill(shop: &mut Shop) {
    for (name, born) in AUTHORS {
        let author = Author {
            name: name.to_owned(),
            born: Some(born),
        };
        shop.authors
            .insert(author)
            .expect("an empty table has room");
    }
    for (title, author, isbn, published, genre, price_cents, stock) in BOOKS {
        let book = Book {
            title: title.to_owned(),
            author_id: author as u64 + 1,
            isbn: isbn.to_owned(),
            published,
            genre,
            price_cents,
            stock,
        };
        shop.books.insert(book).expect("an empty table has room");
    }
    for (book, reviewer, rating, text) in REVIEWS {
        let review = Review {
            book_id: book as u64 + 1,
            reviewer: reviewer.to_owned(),
            rating,
            text: text.to_owned(),
        };
        shop.reviews
            .insert(review)
            .expect("an empty table has room");
    }
    for (name, email) in CUSTOMERS {
        let customer = Customer {
            name: name.to_owned(),
            email: email.to_owned(),
        };
        shop.customers
            .insert(customer)
            .expect("an empty table has room");
    }
    shop.orders
        .insert(first_order())
        .expect("an empty table has room");
}

fn first_order() -> Order {
    let (title, _, _, _, _, price_cents, _) = BOOKS[5];
    let line = Line {
        book_id: 6,
        title: title.to_owned(),
        quantity: 1,
        price_cents,
    };
    Order {
        customer_id: 2,
        status: Status::Shipped,
        lines: vec![line],
        total_cents: u64::from(price_cents),
    }
}
