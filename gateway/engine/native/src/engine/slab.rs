use super::connection::Connection;

/// Connections of one thread by number. A number is used again, with another generation, so that what is said of one that has ended is not
/// taken for the next one's.
#[derive(Default)]
pub struct Slab {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Place {
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// Generation and number: what epoll and timers name a connection by. The lowest bit is left for the side of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Token(u64);

/// Above it are tokens that name no connection.
const MOST: u32 = 1 << 30;

impl Token {
    pub fn from_raw(raw: u64) -> Self {
        Self(raw & !1)
    }

    pub fn raw(self) -> u64 {
        self.0
    }

    fn number(self) -> usize {
        (self.0 as u32 >> 1) as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl Slab {
    /// None: there are as many as can be named.
    pub fn insert(&mut self, make: impl FnOnce(Token) -> Box<Connection>) -> Option<Token> {
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.places.len() < MOST as usize => {
                self.places.push(Place::default());
                self.places.len() as u32 - 1
            }
            None => return None,
        };
        let place = &mut self.places[number as usize];
        let token = Token((u64::from(place.generation) << 32) | (u64::from(number) << 1));
        place.connection = Some(make(token));
        Some(token)
    }

    /// To be given back by `put`, or forgotten by `remove`. None: it has ended.
    pub fn take(&mut self, token: Token) -> Option<Box<Connection>> {
        let place = self.places.get_mut(token.number())?;
        if place.generation == token.generation() { place.connection.take() } else { None }
    }

    pub fn put(&mut self, token: Token, connection: Box<Connection>) {
        self.places[token.number()].connection = Some(connection);
    }

    /// One that was taken has ended.
    pub fn remove(&mut self, token: Token) {
        let place = &mut self.places[token.number()];
        // The highest generation is never reached: tokens of the loop's own have all bits above set.
        place.generation = (place.generation + 1) % (u32::MAX >> 1);
        self.free.push(token.number() as u32);
    }

    pub fn peek(&self, token: Token) -> Option<&Connection> {
        let place = self.places.get(token.number())?;
        if place.generation == token.generation() { place.connection.as_deref() } else { None }
    }

    /// Including one that is taken.
    pub fn open(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub fn tokens(&self) -> Vec<Token> {
        let open = self.places.iter().enumerate().filter(|(_, place)| place.connection.is_some());
        open.map(|(number, place)| Token((u64::from(place.generation) << 32) | ((number as u64) << 1))).collect()
    }
}
