"""Fingerprints don't change by accident: not with the code here, the Python version, the hash seed or the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import golden_values

# A change here makes every result that was ever cached unfindable, or, worse, lets one be found for the wrong value.
# If the scheme must change, raise FORMAT in src/expops/cache/keys.py in the same commit.
GOLDEN = {
    "everywhere/none": "34ab8b65c2622b75106dba567a23b032357b6f78bb9893221cf5c4a61cfc4689",
    "everywhere/true": "d63bd9a826af91c1fea371965a64e11ee20f13e46b5f52c59901136605b3a487",
    "everywhere/int": "a0e583ad072146934355133b46e06a9f47c525f28eab3c93e498e6c23a139e7f",
    "everywhere/negative": "6084d4e02777070af7ea7e5573911ad11c0361e1f1768f791cf65178ba06aa8c",
    "everywhere/float": "a94f21935469ff1af6aa6072c8266aede92b50aafee3dbd708c4ff116f3cca74",
    "everywhere/minus zero": "05af4945872009a34e79d38236ee40a73b41e318ba56d919ce32171b76868629",
    "everywhere/nan": "408a4d8aa4e2d1a459772cdf572d92c1c88770f88f727a95c52d5368513b43d5",
    "everywhere/complex": "38827dcdd06274f41511046660d0f49062edbf135b8bbcd8bbfd02924d060bd0",
    "everywhere/str": "f56167a8cfcc384a80a147a29242b0f62533f832aced0923d930723c1c847b8e",
    "everywhere/long str": "0014c8396aceeb254d37da0b1568dbb174dc20649c4e0654421f8f3b1e571f02",
    "everywhere/bytes": "2a4f5ae9806feff91ef8c7f70d43cac3101191ca64811e46f5eef43f7681c0c4",
    "everywhere/ellipsis": "ea6f1d357d34988f735500e28867a6b7851b15871edb2bd59c01f139320cab81",
    "everywhere/list": "c41918b602404965b36863da3c0c832d7f7b3ac4533b2e019a0efd34f6466e4a",
    "everywhere/tuple": "11a929443cae99b8fefb5629469c75e1d4b5a8d034c6ffff080b79dd2e70542d",
    "everywhere/dict": "b622b5d619c449664e2763dd2187acebe8a8f44054510009d74fe69d0308e0f6",
    "everywhere/set": "9648871fcfdfa58c455d0be30e42df7254201837e9520255288ecbb790f86ff6",
    "everywhere/frozenset": "79d1f7561ea1d4ab653de234f676633656a373982cceaec6c256ed570b0a6542",
    "everywhere/floats": "4554743e3c5e7d5dd3129535fe89ed10d6925f91cf6567e879110cfe5a4688b4",
    "everywhere/ints": "1530cfa6c69ffde2e9e9f66625e7bc03e8168af6ce8ef5b9d7704472b9acf492",
    "everywhere/bools": "8e5fba8adc578621fc67047e53f11bc567aeb39b1ee576173d59a2cb587faf94",
    "everywhere/strs": "6f0e64bd5b928d9ad727e68f4657d2144a5525f53f108117960148c883eec112",
    "everywhere/strs with holes": "9d334fbccb22d4e94c5b350eae2e66a491776e7de0180c5f3d8f7129831ce033",
    "everywhere/tall": "f72a0ca6bc517ebee2e9adfccd2b7c295a551371b99cc43d1a71e188083b6e29",
    "everywhere/ring": "93284a4474220678e906070e7687d42611898855f8a91d2d41edb6bd04f79e69",
    "everywhere/deque": "2cfada46705f1935331fc876ea7840744bd82de3857ce2c933136e13ca573642",
    "everywhere/ordered": "f3d53d384be7f4d0e1a87d02d4e84617f54b4fd1bacbc19155dd2b0b180b69d8",
    "everywhere/defaultdict": "fcf7e7cbd3a0a2f404ec8dacac837fd327b16c9512ed7cadbfd19b317c0e79d5",
    "everywhere/counter": "4934bdaf1dea03a3c2ecf21e5db3f24507d4f67c26f766d9b91f7ce912019ea6",
    "everywhere/namespace": "9d2dc291bd0d23eb06b6ab86d283650ca563efd00976fb7143ed70eae9367ed4",
    "everywhere/dataclass": "5d37da31246671dca025bc9ba24f1d4e21d7740a93ae2563510dfffeb13569aa",
    "everywhere/subclass": "32ef917b2e915bdcbe6cd924018f8910e7e4951f0233250f20b440f6c62e67ce",
    "everywhere/enum": "c170dd2fdc386380ba4d5afaca61898ab0650812e167f5b8f2de7fa1f4e73cdd",
    "everywhere/class": "d37cfc82a6de7b4d02210d24feffe26bef098cb19dcafd3e2a58fedf59436a75",
    "everywhere/function": "66cc9c532db365a4b193a5fc3a9a149b555648a311568cfab50827f597c6157c",
    "everywhere/builtin": "c6eb97f297a990f9f741fea2fdb6c87b965fbb52f17dc8eafabf1b52ad866204",
    "everywhere/range": "91ae4bd79161458b63e8225d0428214161ad43bab5c4c063bdb2bec27d1e0966",
    "everywhere/date": "eaa0a4b8479addaa3e9ba2347dbec602c99dcf2cae0aa82727d9c8e0d513b656",
    "everywhere/datetime": "f77f82805d71580c8d003ab6c11ea07f030662dd1c650b1cf0d72acc564cd649",
    "everywhere/time": "3a2dcbf8157e834a4881d3e2cac93dff4e68991750616978fca3170aa8f9d7d2",
    "everywhere/timedelta": "c21e438ab52b130846f4d120fd58905f412164be8258d9ea305593049a4eb6fd",
    "everywhere/decimal": "077eb0044cb677de2cd5180099e7b717054970c4b652a85c1e605cfced0455b2",
    "everywhere/fraction": "fa6a5819945c196413f24d6ff1525e509696bdd043bae032b2a42c276ce42eb8",
    "everywhere/uuid": "3b708f54e1b32bbedbe7f28b6a25e37586ab4124091ee3b9d5dd8fb75a5a9308",
    "everywhere/path": "9991be3aac30b31567741644472c226064fc0705a96af0fba28a05260b3e3388",
    "numeric/array": "b137dc9f4ff141e519eae94f7cc66fe7296ae490a4ab08eba55b281fa8265cf5",
    "numeric/fortran": "9d9782eb6fffbfecca30be1956a12edd6f0fa004c1b44de7fe638f609d0acd66",
    "numeric/big-endian": "92f5fa38b5c1ac0fd77704f2e52558497dbd2ef9a7363f18b664b71d0610cfe6",
    "numeric/no dimensions": "31700d2febe9f21176c5fe4698998a7401126944ff961f17bfa5021babb0b000",
    "numeric/empty": "3faed83162bd9c1815e5a799c37298f5e8414adfde1e1479393cc848ec8d02eb",
    "numeric/texts": "6fc725e36d5a0d431875255c03a9441a93a348e31e10921ef1996588a0a38462",
    "numeric/times": "2cc230b5901d39bbb6b14532477dd04a5ccc451aca7780a56a8c383078f30e76",
    "numeric/structured": "10ab2b11a743c7f79c24d45486c86adeeff751d3c8cb1d1f001768b68b4dd0be",
    "numeric/padded": "beb8fa974647675fde04b3a1759aed4c67fcff94a12f8015df950fcf6627265a",
    "numeric/objects": "95b45d287f7000ef50d004c3a4419c8a1e42af69b22c2db2087c9e8f1e0d10f5",
    "numeric/scalar": "ea6333663098dd3c81d686801b26e3e2dddd2cfc41a4611f56977330915a1d88",
    "numeric/scalar nan": "adcbb8f3f56a94951bae70ce4adb3510d3833d882e494c602456e638757b439a",
    "numeric/dtype": "e1f08953c5ead082dc29455f29875d965e5c7a5e74c3302d96306027dcd180e4",
    "numeric/large": "7fdfc85c520fa37bcdc2a5cc0263638e88cbcb51a519ff078672a0f5cb44391f",
}
HERE = Path(__file__).parent


def flat(parts: dict[str, dict[str, str]]) -> dict[str, str]:
    return {f"{part}/{name}": found for part, prints in parts.items() for name, found in prints.items()}


def test_fingerprints_are_what_they_have_always_been() -> None:
    parts = {part: golden_values.prints(getattr(golden_values, part)()) for part in ("everywhere", "numeric")}
    assert flat(parts) == GOLDEN


def test_no_two_of_them_are_the_same() -> None:
    assert len(set(GOLDEN.values())) == len(GOLDEN)


def test_fingerprints_are_the_same_in_every_process_and_under_every_hash_seed() -> None:
    parts = ("everywhere", "numeric", "libraries")
    seed = "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)])}
    done = subprocess.run(
        [sys.executable, str(HERE / "golden_values.py"), *parts],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout) == {part: golden_values.prints(getattr(golden_values, part)()) for part in parts}
