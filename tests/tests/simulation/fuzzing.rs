//! The fuzz targets' bodies over a few random inputs: a change that breaks them is seen at once.

use zerorpc_tests::{fuzzing, vectors, world::prng::Prng};

#[test]
fn events() {
    for file in vectors::FILES.into_iter().chain(["broken"]) {
        for vector in vectors::load(file).into_iter().filter(|vector| !vector.frames.is_empty()) {
            for front in [[0, 0], [1, 0], [0, 3]] {
                fuzzing::event(&[&front, &vector.payload()[..]].concat());
            }
        }
    }
    let mut prng = Prng::new();
    let sound: Vec<_> = vectors::load("values").iter().map(|v| v.payload().to_vec()).collect();
    for _ in 0..20_000 {
        let mut data = prng.pick(&sound).clone();
        for _ in 0..prng.below(4) {
            let at = prng.below(data.len() as u64) as usize;
            data[at] = prng.below(256) as u8;
        }
        fuzzing::event(&[&[prng.below(2) as u8, 0], &data[..]].concat());
    }
}

#[test]
fn sessions() {
    let mut prng = Prng::new();
    for _ in 0..1500 {
        let len = prng.below(1500) as usize;
        let data: Vec<u8> = (0..len).map(|_| prng.below(256) as u8).collect();
        fuzzing::session(&data);
    }
}

/// What fuzzing has found.
#[test]
fn found_before() {
    let found: [(&str, &[u8]); 2] = [
        (
            "a deadline was told of when no channel was open any more",
            b"\x0a\x2c\xbf\xff\xff\xf2\xff\x0b\x04\x17\x08",
        ),
        (
            "a call was open for ever when something was heard after its connection had ended",
            b"\x0a\xfe\xff\xff\0ohit5!\0\x86\0\xff\xff\xff\xff\xff\xff\x9f\x86\0oh",
        ),
    ];
    for (what, data) in found {
        println!("{what}");
        fuzzing::session(data);
    }
}
