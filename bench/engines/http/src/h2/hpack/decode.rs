use super::static_table::STATIC;
use super::table::Table;
use super::{Malformed, TABLE_SIZE, huffman};

/// One connection's decoder. Its table is as large as both sides begin with; we never ask for another.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// Strings that come in Huffman's code, again and again.
    name: Vec<u8>,
    value: Vec<u8>,
}

/// Where a string of a field is.
enum Text<'a> {
    Plain(&'a [u8]),
    Coded(&'a [u8]),
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: Table::new(TABLE_SIZE), name: Vec::new(), value: Vec::new() }
    }
}

impl Decoder {
    /// Hands out each field of a whole block, in order.
    pub fn decode(&mut self, block: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Result<(), Malformed> {
        let mut rest = block;
        let mut begun = false;
        while let Some(first) = rest.first().copied() {
            match first {
                0x80.. => {
                    let (name, value) = self.at(integer(&mut rest, 7)?)?;
                    field(name, value);
                }
                // §4.2: only before the first field.
                0x20..0x40 if !begun => {
                    let most = integer(&mut rest, 5)?;
                    if most > TABLE_SIZE {
                        return Err(Malformed);
                    }
                    self.table.resize(most);
                    continue;
                }
                0x20..0x40 => return Err(Malformed),
                0x40.. => self.literal(&mut rest, 6, true, &mut field)?,
                _ => self.literal(&mut rest, 4, false, &mut field)?,
            }
            begun = true;
        }
        Ok(())
    }

    fn at(&self, index: usize) -> Result<(&[u8], &[u8]), Malformed> {
        match index {
            0 => Err(Malformed),
            1..=61 => Ok(STATIC[index - 1]),
            _ => self.table.get(index - 62).ok_or(Malformed),
        }
    }

    fn literal(&mut self, rest: &mut &[u8], prefix: u32, keep: bool, field: &mut impl FnMut(&[u8], &[u8])) -> Result<(), Malformed> {
        let index = integer(rest, prefix)?;
        self.name.clear();
        self.value.clear();
        if index == 0 {
            text(rest)?.into(&mut self.name)?;
        } else {
            let mut name = std::mem::take(&mut self.name);
            name.extend_from_slice(self.at(index)?.0);
            self.name = name;
        }
        text(rest)?.into(&mut self.value)?;
        field(&self.name, &self.value);
        if keep {
            self.table.insert(&self.name, &self.value, 0);
        }
        Ok(())
    }

    #[cfg(test)]
    pub fn table(&self) -> &Table {
        &self.table
    }
}

impl Text<'_> {
    fn into(self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::Plain(bytes) => out.extend_from_slice(bytes),
            Self::Coded(bytes) => huffman::decode(bytes, out)?,
        }
        Ok(())
    }
}

/// §5.1, no larger than 2^28: nothing that counts here is.
fn integer(rest: &mut &[u8], prefix: u32) -> Result<usize, Malformed> {
    let (first, mut after) = rest.split_first().ok_or(Malformed)?;
    let mask = (1usize << prefix) - 1;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        let mut shift = 0;
        loop {
            let (byte, rest) = after.split_first().ok_or(Malformed)?;
            after = rest;
            if shift > 21 {
                return Err(Malformed);
            }
            value += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = after;
    Ok(value)
}

/// §5.2.
fn text<'a>(rest: &mut &'a [u8]) -> Result<Text<'a>, Malformed> {
    let coded = rest.first().ok_or(Malformed)? & 0x80 != 0;
    let length = integer(rest, 7)?;
    let (text, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    Ok(if coded { Text::Coded(text) } else { Text::Plain(text) })
}
