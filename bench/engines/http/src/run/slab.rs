/// Connections by number. A number is used again, with another generation.
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

struct Place<T> {
    generation: u32,
    held: Option<Box<T>>,
}

/// Generation and number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token(u64);

impl Token {
    pub fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    pub fn raw(self) -> u64 {
        self.0
    }

    fn number(self) -> usize {
        self.0 as u32 as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl<T> Slab<T> {
    pub fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// A name for what is put there next.
    pub fn reserve(&mut self) -> Token {
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, held: None });
            self.places.len() as u32 - 1
        });
        Token(u64::from(self.places[number as usize].generation) << 32 | u64::from(number))
    }

    /// To be given back by `put` or forgotten by `remove`. None: it has ended, or somebody has it just now.
    pub fn take(&mut self, token: Token) -> Option<Box<T>> {
        let place = self.places.get_mut(token.number())?;
        if place.generation == token.generation() { place.held.take() } else { None }
    }

    pub fn put(&mut self, token: Token, held: Box<T>) {
        self.places[token.number()].held = Some(held);
    }

    pub fn remove(&mut self, token: Token) {
        let place = &mut self.places[token.number()];
        // The highest ones are the loop's own tokens.
        place.generation = (place.generation + 1) % (u32::MAX >> 1);
        place.held = None;
        self.free.push(token.number() as u32);
    }

    pub fn peek(&self, token: Token) -> Option<&T> {
        let place = self.places.get(token.number())?;
        if place.generation == token.generation() { place.held.as_deref() } else { None }
    }
}
