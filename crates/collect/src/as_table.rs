//! Which autonomous system an address belongs to, from a table on disk.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::Path;

/// Ranges of addresses with their autonomous systems, in memory: 12 bytes for a range of IPv4, 20 for one of IPv6.
#[derive(Clone, Debug, Default)]
pub struct AsTable {
    v4: Ranges<u32>,
    /// Of the upper 64 bits: networks smaller than a /64 are not routed between systems.
    v6: Ranges<u64>,
    systems: Systems,
}

/// An autonomous system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutonomousSystem<'a> {
    /// Its number.
    pub number: u32,
    /// Its name; empty if the table has none.
    pub name: &'a str,
}

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AsTableError {
    /// The file could not be read or decompressed.
    #[error("The AS table could not be read: {0}.")]
    Unreadable(#[from] std::io::Error),
    /// It is another kind of file.
    #[error(
        "Line {line} of the AS table has another form than `range_start`, `range_end`, AS number, country and AS name, \
         parted by tabs, as in `1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET`."
    )]
    Malformed {
        /// From 1.
        line: usize,
    },
    /// More than a table of the whole internet has, several times over.
    #[error("The AS table is larger than any table of the internet: at most {MAX_RANGES} ranges are taken.")]
    TooLarge,
}

/// Ranges that are kept at most; the internet had 700,000 in 2025.
const MAX_RANGES: usize = 4_000_000;
/// Bytes of names that are kept at most; the internet's were 3 million in 2025.
const MAX_NAME_BYTES: usize = 32 << 20;
/// Bytes of text that are read at most, so that a small compressed file cannot keep the reader busy for ever.
const MAX_TEXT_BYTES: u64 = 1 << 30;
/// Bytes of a line that are taken at most.
const MAX_LINE_BYTES: u64 = 4 << 10;
/// How every gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl AsTable {
    /// Reads a table of iptoasn.com: lines of `range_start`, `range_end`, AS number, country and AS name, parted by
    /// tabs, of IPv4, IPv6 or both, compressed by gzip or not. Ranges of AS 0 are not routed and left out.
    ///
    /// # Errors
    /// [`AsTableError`]
    pub fn open(path: &Path) -> Result<Self, AsTableError> {
        Self::read(std::fs::File::open(path)?)
    }

    /// As [`AsTable::open`], from anything that can be read.
    ///
    /// # Errors
    /// [`AsTableError`]
    pub fn read(source: impl Read) -> Result<Self, AsTableError> {
        let mut source = BufReader::new(source);
        // One read gives at least two bytes, if there are any: files and sockets alike hold back no single byte.
        if source.fill_buf()?.starts_with(&GZIP) {
            Self::read_lines(BufReader::new(flate2::bufread::MultiGzDecoder::new(source)))
        } else {
            Self::read_lines(source)
        }
    }

    fn read_lines(source: impl BufRead) -> Result<Self, AsTableError> {
        let mut source = source.take(MAX_TEXT_BYTES);
        let mut table = Self::default();
        let mut places = HashMap::new();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            source.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                break;
            }
            let text = line.trim_ascii_end();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let row = Row::parse(text).ok_or(AsTableError::Malformed { line: number })?;
            if row.system != 0 {
                table.add(&row, &mut places);
            }
            if table.v4.starts.len() + table.v6.starts.len() > MAX_RANGES || table.systems.names.len() > MAX_NAME_BYTES
            {
                return Err(AsTableError::TooLarge);
            }
        }
        table.v4.finish();
        table.v6.finish();
        table.systems.finish();
        Ok(table)
    }

    fn add(&mut self, row: &Row<'_>, places: &mut HashMap<u32, u32>) {
        let place = *places.entry(row.system).or_insert_with(|| self.systems.add(row.system, &row.name));
        match (row.start, row.end) {
            (IpAddr::V4(start), IpAddr::V4(end)) => self.v4.add(start.to_bits(), end.to_bits(), place),
            (IpAddr::V6(start), IpAddr::V6(end)) => {
                self.v6.add((start.to_bits() >> 64) as u64, (end.to_bits() >> 64) as u64, place);
            }
            _ => {}
        }
    }

    /// The system that announces the address.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<AutonomousSystem<'_>> {
        let place = match address.to_canonical() {
            IpAddr::V4(address) => self.v4.find(address.to_bits()),
            IpAddr::V6(address) => self.v6.find((address.to_bits() >> 64) as u64),
        }?;
        self.systems.get(place)
    }

    /// Memory that the table takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes() + self.v6.memory_bytes() + self.systems.memory_bytes()
    }
}

struct Row<'a> {
    start: IpAddr,
    end: IpAddr,
    system: u32,
    name: std::borrow::Cow<'a, str>,
}

impl<'a> Row<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b'\t');
        let mut text = || std::str::from_utf8(fields.next()?).ok();
        let start: IpAddr = text()?.parse().ok()?;
        let end: IpAddr = text()?.parse().ok()?;
        let system = text()?.parse().ok()?;
        let name = fields.nth(1).unwrap_or_default();
        let same_version = start.is_ipv4() == end.is_ipv4();
        (same_version && start <= end).then(|| Self { start, end, system, name: String::from_utf8_lossy(name) })
    }
}

/// Ranges, ends included, by their start; each with the place of its system. Apart from each other, since a range of
/// three fields would be padded.
#[derive(Clone, Debug, Default)]
struct Ranges<T> {
    starts: Vec<T>,
    ends: Vec<T>,
    places: Vec<u32>,
}

impl<T: Copy + Ord> Ranges<T> {
    fn add(&mut self, start: T, end: T, place: u32) {
        self.starts.push(start);
        self.ends.push(end);
        self.places.push(place);
    }

    /// Published tables are in order; if one is not, it is put in order.
    fn finish(&mut self) {
        if !self.starts.is_sorted() {
            let mut order: Vec<usize> = (0..self.starts.len()).collect();
            order.sort_by_key(|&index| self.starts[index]);
            self.starts = order.iter().map(|&index| self.starts[index]).collect();
            self.ends = order.iter().map(|&index| self.ends[index]).collect();
            self.places = order.iter().map(|&index| self.places[index]).collect();
        }
        self.starts.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    fn find(&self, key: T) -> Option<u32> {
        let index = self.starts.partition_point(|&start| start <= key).checked_sub(1)?;
        (key <= self.ends[index]).then(|| self.places[index])
    }

    fn memory_bytes(&self) -> usize {
        (self.starts.capacity() + self.ends.capacity()) * size_of::<T>() + self.places.capacity() * size_of::<u32>()
    }
}

/// Systems with their names, which lie one after another in one text.
#[derive(Clone, Debug, Default)]
struct Systems {
    numbers: Vec<u32>,
    name_ends: Vec<u32>,
    names: String,
}

impl Systems {
    fn add(&mut self, number: u32, name: &str) -> u32 {
        self.numbers.push(number);
        self.names.push_str(name);
        self.name_ends.push(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        u32::try_from(self.numbers.len() - 1).unwrap_or(u32::MAX)
    }

    fn get(&self, place: u32) -> Option<AutonomousSystem<'_>> {
        let place = place as usize;
        let start = place.checked_sub(1).map_or(0, |before| self.name_ends[before]);
        let name = self.names.get(start as usize..*self.name_ends.get(place)? as usize).unwrap_or_default();
        Some(AutonomousSystem { number: *self.numbers.get(place)?, name })
    }

    fn finish(&mut self) {
        self.numbers.shrink_to_fit();
        self.name_ends.shrink_to_fit();
        self.names.shrink_to_fit();
    }

    fn memory_bytes(&self) -> usize {
        (self.numbers.capacity() + self.name_ends.capacity()) * size_of::<u32>() + self.names.capacity()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::time::Instant;

    use super::*;

    const TABLE: &str = "\
# a comment
0.0.0.0\t0.255.255.255\t0\tNone\tNot routed
1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET
1.0.1.0\t1.0.3.255\t0\tNone\tNot routed
1.0.4.0\t1.0.7.255\t38803\tAU\tGTELECOM-AUSTRALIA Gtelecom-AUSTRALIA
2.0.0.0\t2.0.0.255\t13335\tUS\tCLOUDFLARENET
2001:200::\t2001:200:5ff:ffff:ffff:ffff:ffff:ffff\t2500\tJP\tWIDE-BB WIDE Project
255.0.0.0\t255.255.255.255\t64512
";

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn an_address_is_found_in_its_range_whether_the_table_is_compressed_or_in_disorder() {
        let reversed: String = TABLE.lines().rev().flat_map(|line| [line, "\r\n"]).collect();
        for (what, table) in [
            ("plain", AsTable::read(TABLE.as_bytes())),
            ("compressed", AsTable::read(gzip(TABLE).as_slice())),
            ("in two parts", AsTable::read([gzip(&TABLE[..100]), gzip(&TABLE[100..])].concat().as_slice())),
            ("reversed", AsTable::read(reversed.as_bytes())),
        ] {
            let table = table.expect(what);
            for (address, expected) in [
                ("0.1.2.3", None),
                ("0.255.255.255", None),
                ("1.0.0.0", Some((13335, "CLOUDFLARENET"))),
                ("1.0.0.255", Some((13335, "CLOUDFLARENET"))),
                ("::ffff:1.0.0.1", Some((13335, "CLOUDFLARENET"))),
                ("1.0.1.0", None),
                ("1.0.7.255", Some((38803, "GTELECOM-AUSTRALIA Gtelecom-AUSTRALIA"))),
                ("1.0.8.0", None),
                ("2.0.0.7", Some((13335, "CLOUDFLARENET"))),
                ("255.255.255.255", Some((64512, ""))),
                ("2001:200:5ff::1", Some((2500, "WIDE-BB WIDE Project"))),
                ("2001:200:600::", None),
                ("::1", None),
            ] {
                let found = table.find(address.parse().expect(address)).map(|system| (system.number, system.name));
                assert_eq!(found, expected, "{what}: {address}");
            }
        }
        assert_eq!(AsTable::default().find("1.1.1.1".parse().expect("an address")), None);
        assert_eq!(AsTable::read(&b""[..]).expect("empty").memory_bytes(), 0);
    }

    #[test]
    fn another_kind_of_file_is_refused_with_its_line() {
        for (line, text) in [
            (1, "network,asn\n"),
            (2, "1.0.0.0\t1.0.0.255\t1\n1.0.0.0/24\t1\n"),
            (1, "1.0.0.255\t1.0.0.0\t1\tUS\tbackwards\n"),
            (1, "1.0.0.0\t2001:200::\t1\tUS\tboth versions\n"),
            (1, "1.0.0.0\t1.0.0.255\tAS1\tUS\ta prefix\n"),
        ] {
            let error = AsTable::read(text.as_bytes()).expect_err(text);
            assert!(matches!(error, AsTableError::Malformed { line: found } if found == line), "{text}: {error}");
        }
        let cut = gzip(TABLE);
        assert!(matches!(AsTable::read(&cut[..cut.len() / 2]), Err(AsTableError::Unreadable(_))));
        let endless = "x".repeat(100_000);
        assert!(matches!(AsTable::read(endless.as_bytes()), Err(AsTableError::Malformed { line: 1 })));
    }

    /// The size of the published table in 2025, from which the documentation's figures come.
    #[test]
    fn a_table_of_the_whole_internet_takes_little_memory() {
        let mut text = String::new();
        for index in 0..520_000_u32 {
            let start = std::net::Ipv4Addr::from_bits(index << 12);
            let end = std::net::Ipv4Addr::from_bits((index << 12) + 4_000);
            let _ = writeln!(
                text,
                "{start}\t{end}\t{}\tZZ\tNAME-OF-{} Some Company Ltd.",
                index % 85_000 + 1,
                index % 85_000
            );
        }
        for index in 0..180_000_u128 {
            let start = std::net::Ipv6Addr::from_bits((0x2001_0000 << 96) + (index << 80));
            let end = std::net::Ipv6Addr::from_bits((0x2001_0000 << 96) + (index << 80) + 0xffff);
            let _ = writeln!(text, "{start}\t{end}\t{}\tZZ\t", index % 85_000 + 1);
        }
        let started = Instant::now();
        let table = AsTable::read(text.as_bytes()).expect("well-formed");
        println!("{} bytes of text became {} bytes in {:?}", text.len(), table.memory_bytes(), started.elapsed());
        assert!(table.memory_bytes() < 14_000_000, "{}", table.memory_bytes());
        let found = table.find("7.255.240.7".parse().expect("an address")).expect("in the table");
        assert_eq!((found.number, found.name), (32_768, "NAME-OF-32767 Some Company Ltd."));
    }
}
