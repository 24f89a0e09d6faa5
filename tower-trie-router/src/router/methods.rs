//! The method table of a pattern.

use http::{HeaderValue, Method};

/// The standard methods in the order of the table and of `Allow`.
static STANDARD: [Method; STANDARD_COUNT] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
    Method::CONNECT,
    Method::TRACE,
];
/// How many standard methods there are.
pub(crate) const STANDARD_COUNT: usize = 9;
/// How many other methods a pattern may have, so that a byte tells its endpoints apart.
pub(crate) const MOST_EXTENSIONS: usize = 200;
/// The places of the methods that the router may answer by itself.
pub(crate) const GET: usize = 0;
pub(crate) const HEAD: usize = 1;
pub(crate) const OPTIONS: usize = 6;

/// The place of a standard method in the table.
#[inline]
pub(crate) fn slot(method: &Method) -> Option<usize> {
    Some(match *method {
        Method::GET => GET,
        Method::HEAD => HEAD,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        Method::PATCH => 5,
        Method::OPTIONS => OPTIONS,
        Method::CONNECT => 7,
        Method::TRACE => 8,
        _ => return None,
    })
}

/// One or more methods to register an endpoint for: a [`Method`], an array, slice or vector of
/// them, or (feature `axum`) an `axum::routing::MethodFilter`.
pub trait IntoMethods {
    /// The methods, in any order.
    fn into_methods(self) -> Vec<Method>;
}

impl IntoMethods for Method {
    fn into_methods(self) -> Vec<Method> {
        vec![self]
    }
}

impl<const N: usize> IntoMethods for [Method; N] {
    fn into_methods(self) -> Vec<Method> {
        self.into()
    }
}

impl IntoMethods for &[Method] {
    fn into_methods(self) -> Vec<Method> {
        self.to_vec()
    }
}

impl IntoMethods for Vec<Method> {
    fn into_methods(self) -> Vec<Method> {
        self
    }
}

#[cfg(feature = "axum")]
impl IntoMethods for axum::routing::MethodFilter {
    fn into_methods(self) -> Vec<Method> {
        let holds = |method: &Method| {
            Self::try_from(method.clone()).is_ok_and(|filter| self.or(filter) == self)
        };
        STANDARD
            .iter()
            .filter(|method| holds(method))
            .cloned()
            .collect()
    }
}

/// The endpoints of one pattern by method: an array for the nine standard methods, a short list
/// for the others, and one for any method.
#[derive(Debug, Clone)]
pub(crate) struct MethodTable<E> {
    pub(crate) standard: [Option<E>; STANDARD_COUNT],
    pub(crate) extension: Vec<(Method, E)>,
    pub(crate) any: Option<E>,
    /// The user's answer to a method that is not registered.
    pub(crate) not_allowed: Option<E>,
    /// The router's own answer to it, once a layer wraps it.
    pub(crate) refusal: Option<E>,
    /// The router's own answer to `OPTIONS`, once a layer wraps it.
    pub(crate) options_reply: Option<E>,
}

impl<E> Default for MethodTable<E> {
    fn default() -> Self {
        Self {
            standard: [const { None }; 9],
            extension: Vec::new(),
            any: None,
            not_allowed: None,
            refusal: None,
            options_reply: None,
        }
    }
}

impl<E> MethodTable<E> {
    /// One endpoint for whatever method.
    pub(crate) fn of_any(endpoint: E) -> Self {
        Self {
            any: Some(endpoint),
            ..Self::default()
        }
    }

    fn extension(&self, method: &Method) -> Option<&E> {
        let found = self.extension.iter().find(|(name, _)| name == method);
        found.map(|(_, endpoint)| endpoint)
    }

    /// Sets the endpoint for `method`; gives it back if there is one already.
    pub(crate) fn set(&mut self, method: &Method, endpoint: E) -> Result<(), E> {
        match slot(method) {
            Some(place) if self.standard[place].is_none() => {
                self.standard[place] = Some(endpoint);
                Ok(())
            }
            None if self.extension(method).is_none() => {
                self.extension.push((method.clone(), endpoint));
                Ok(())
            }
            _ => Err(endpoint),
        }
    }

    /// Moves `other`'s endpoints in; names the methods that both have (`*` for "any").
    pub(crate) fn merge(&mut self, other: Self) -> Vec<String> {
        let mut taken = Vec::new();
        for (place, endpoint) in other.standard.into_iter().enumerate() {
            let Some(endpoint) = endpoint else { continue };
            match &mut self.standard[place] {
                Some(_) => taken.push(STANDARD[place].to_string()),
                empty => *empty = Some(endpoint),
            }
        }
        for (method, endpoint) in other.extension {
            if self.set(&method, endpoint).is_err() {
                taken.push(method.to_string());
            }
        }
        match (&self.any, other.any) {
            (Some(_), Some(_)) => taken.push("*".into()),
            (None, endpoint) => self.any = endpoint,
            (Some(_), None) => {}
        }
        self.not_allowed = self.not_allowed.take().or(other.not_allowed);
        self.refusal = self.refusal.take().or(other.refusal);
        self.options_reply = self.options_reply.take().or(other.options_reply);
        taken
    }

    /// The same table with other endpoints.
    pub(crate) fn map<F>(self, mut map: impl FnMut(E) -> F) -> MethodTable<F> {
        MethodTable {
            standard: self.standard.map(|endpoint| endpoint.map(&mut map)),
            extension: self
                .extension
                .into_iter()
                .map(|(method, endpoint)| (method, map(endpoint)))
                .collect(),
            any: self.any.map(&mut map),
            not_allowed: self.not_allowed.map(&mut map),
            refusal: self.refusal.map(&mut map),
            options_reply: self.options_reply.map(&mut map),
        }
    }

    /// The registered methods, the standard ones first; "any" is not among them.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &Method> {
        let standard = STANDARD.iter().zip(&self.standard);
        standard
            .filter_map(|(method, endpoint)| endpoint.is_some().then_some(method))
            .chain(self.extension.iter().map(|(method, _)| method))
    }

    /// What is answered without a refusal: the registered methods, and `HEAD` and `OPTIONS` where
    /// they are automatic.
    pub(crate) fn allowed(&self, head: bool, options: bool) -> Vec<Method> {
        let get_for_head = head && self.standard[GET].is_some();
        let mut allowed = Vec::new();
        for (place, method) in STANDARD.iter().enumerate() {
            let automatic = (place == HEAD && get_for_head) || (place == OPTIONS && options);
            if automatic || self.standard[place].is_some() {
                allowed.push(method.clone());
            }
        }
        allowed.extend(self.extension.iter().map(|(method, _)| method.clone()));
        allowed
    }
}

/// The value of `Allow` (RFC 9110 §10.2.1) for a list of methods.
pub(crate) fn allow_value<'m>(methods: impl IntoIterator<Item = &'m Method>) -> HeaderValue {
    let mut text = String::new();
    for method in methods {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(method.as_str());
    }
    HeaderValue::from_str(&text).expect("a method is a token, and a token is a header value")
}
