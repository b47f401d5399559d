"""Names as a Norwegian municipality has them: mostly Norwegian, many from elsewhere, some that break programs."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from eadm_sync.sample.dice import Dice, Weighted


class Name(NamedTuple):
    """A person's names; `sex` is "K" or "M", `foreign` whether they came from abroad."""

    given: str
    family: str
    sex: str
    foreign: bool


class Origin(NamedTuple):
    """Names that go together."""

    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]


def _origin(women: str, men: str, families: str) -> Origin:
    return Origin(tuple(women.split()), tuple(men.split()), tuple(families.split()))


NORWEGIAN = _origin(
    "Anne Inger Kari Marit Ingrid Liv Eva Berit Astrid Bjørg Hilde Randi Solveig Bente Nina Kristin Heidi Silje Ida"
    " Elin Camilla Tone Ragnhild Åse Åshild Gro Wenche Turid Unni Gerd Mari Maria Sara Nora Emma Sofie Maja Ella Olivia"
    " Emilie Amalie Thea Frida Leah Ingeborg Sunniva Tiril Aurora Hedda Jenny Vilde Mathilde Oda Tuva Live Selma Ada"
    " Eline Julie Malin Marte Ane Guri Synnøve Sølvi Øydis Dagny Borghild Torill Vigdis Trine Linn Stine Hege Siv Lise",
    "Jan Per Bjørn Ole Lars Kjell Knut Svein Arne Thomas Hans Geir Tor Morten Terje Odd Erik Martin Andreas John Anders"
    " Rune Trond Tore Daniel Jon Kristian Marius Tom Harald Olav Stian Magnus Rolf Øyvind Espen Gunnar Henrik Eirik"
    " Håkon Håvard Jørgen Bård Pål Sølve Tørres Åge Asbjørn Jakob Emil Noah Oliver Filip Lukas Liam Aksel Isak William"
    " Mathias Ludvig Kasper Sander Jonas Iver Brage Ulrik Sondre Vetle Tobias Johannes Birk Theo Sverre Leif Roar Dag",
    "Hansen Johansen Olsen Larsen Andersen Pedersen Nilsen Kristiansen Jensen Karlsen Johnsen Pettersen Eriksen"
    " Berg Haugen Hagen Johannessen Andreassen Jacobsen Dahl Jørgensen Halvorsen Henriksen Lund Sørensen"
    " Jakobsen Moen Gundersen Iversen Strand Solberg Svendsen Eide Knutsen Martinsen Paulsen Bakken"
    " Kristoffersen Mathisen Lie Amundsen Nguyen Rasmussen Lunde Solheim Berge Moe Nygård Bakke Fredriksen Holm"
    " Lien Hauge Christensen Andresen Nielsen Aas Knudsen Evensen Sæther Hanssen Myhre Haugland Berntsen"
    " Thomassen Bråthen Ødegård Aasen Tangen Ruud Kvåle Brekke Ellingsen Børresen Ås Sæbø Øvrebø Fjeld Håland"
    " Tveit Skår Vågen Rød Nærbø Åmodt Gjøvåg Hjelmeland Skjærvø Tøndel",
)

FOREIGN = Weighted(
    (
        _origin(  # Poland
            "Agnieszka Małgorzata Katarzyna Joanna Ewa Elżbieta Zofia Łucja",
            "Piotr Krzysztof Tomasz Paweł Michał Łukasz Stanisław Wojciech",
            "Nowak Kowalski Wiśniewski Wójcik Kamiński Lewandowska Zieliński Dąbrowski Woźniak Święcicki Żak",
        ),
        5,
    ),
    (
        _origin(  # the Baltic states
            "Rūta Eglė Jurgita Žaneta Līga Inga",
            "Jonas Mindaugas Gintaras Šarūnas Jānis Andris",
            "Kazlauskas Petrauskienė Žukauskas Bērziņš Kalniņš Šimkus Jankauskaitė",
        ),
        3,
    ),
    (
        _origin(  # Somalia, Eritrea
            "Fatima Hodan Ayaan Sahra Halima Semhar Tsehaye",
            "Mohamed Abdi Ahmed Yusuf Hassan Filmon Tesfay",
            "Ali Mohamud Warsame Abdullahi Farah Nur Tekle Ghebremedhin",
        ),
        3,
    ),
    (
        _origin(  # Syria, Iraq, Iran, Pakistan
            "Aisha Noor Zainab Maryam Samira Shirin Ayesha",
            "Omar Khalid Mustafa Hussein Reza Imran Bilal",
            "Al-Hassan Al-Khatib Haddad Hosseini Rahimi Khan Hussain Malik Abdel-Rahman",
        ),
        3,
    ),
    (
        _origin(  # Ukraine
            "Oksana Nataliia Olena Yuliia Svitlana",
            "Oleksandr Andrii Serhii Dmytro Mykola",
            "Shevchenko Kovalenko Bondarenko Tkachuk Kravchuk Mel'nyk",
        ),
        2,
    ),
    (
        _origin(  # Sweden, Germany, Iceland, Spain, France: neighbours and the Latin letters they bring
            "Åsa Käthe Björk Guðrún Begoña Hélène Zoé",
            "Göran Jörg Þór Sigurður Íñigo José François Renée",
            "Jönsson Müller Weiß Þórsdóttir Guðmundsson Muñoz Núñez Lefèvre Bäckström Großmann",
        ),
        2,
    ),
    (
        _origin(  # Vietnam, Thailand, the Philippines
            "Thuy Linh Hương Somchai Ratana Maricel",
            "Minh Tuấn Anh Niran Arthit Jose",
            "Tran Phạm Lê Srisai Wongsawat Chaiyaporn Santos",
        ),
        2,
    ),
    (
        _origin(  # Turkey, Kosovo, Bosnia
            "Elif Şule Ayşe Vjosa Amra Čejna",
            "Emre Çağlar Yılmaz Arben Edin Đorđe",
            "Çetin Yıldız Öztürk Krasniqi Hodžić Begić Đurić",
        ),
        2,
    ),
    (
        _origin(  # Sápmi: at home here, with letters of its own
            "Máret Biret Elle Ánne Risten",
            "Áilu Máhtte Niillas Jovnna Issát",
            "Sara Eira Somby Utsi Gaup Bæhr Hætta Báhčči",
        ),
        2,
    ),
)

CURIOSITIES = (
    # each has broken a program somewhere: letters, lengths, signs, spaces, and scripts
    Name("Åse Ægir Ødis", "Åå", "K", foreign=False),
    Name("Bo", "Ø", "M", foreign=False),
    Name("Å", "Li", "K", foreign=False),
    Name("Anne-Marie Kristine Margrethe", "Stoltenberg-Lerche Gyldenløve", "K", foreign=False),
    Name("Karl Friedrich", "von Hohenlohe-Waldenburg-Schillingsfürst", "M", foreign=True),
    Name("Sinéad", "O'Brien", "K", foreign=True),
    Name("Gianluca", "D’Angelo", "M", foreign=True),
    Name("Joost", "van der Meer", "M", foreign=True),
    Name("Null", "Tester", "M", foreign=False),
    Name("สมชาย", "ใจดี", "M", foreign=True),
    Name("فاطمة", "الخطيب", "K", foreign=True),
    Name("Chukwuemeka", "Nwachukwu-Okonkwo", "M", foreign=True),
    Name("Nhữ", "Nguyễn Thị", "K", foreign=True),
    Name("Þorgerður", "Æsudóttir", "K", foreign=True),
    Name("Jean-Luc Étienne", "de La Fontaine", "M", foreign=True),
    Name("Zoë", "Ó Súilleabháin", "K", foreign=True),
    Name("Wolfgang", "Donaudampfschifffahrtsgesellschaftskapitän", "M", foreign=True),
    Name("Олена", "Шевченко", "K", foreign=True),
    Name("True", "False", "K", foreign=False),
    Name("Per", "Ås", "M", foreign=False),
)

_CURIOUS_EVERY = 6
_RECENT = 60


class Names:
    """Invents names; now and then the very same again, as happens in a town."""

    def __init__(self, dice: Dice, *, curious: bool = False) -> None:
        """`curious`: lets every sixth name be the next curiosity until each was used once."""
        self._dice = dice
        self._made = 0
        self._curious = len(CURIOSITIES) if curious else 0
        self._recent: list[Name] = []

    def next(self) -> Name:
        """The next person's name."""
        self._made += 1
        if self._curious and self._made % _CURIOUS_EVERY == 0:
            self._curious -= 1
            return CURIOSITIES[self._curious]
        if self._dice.chance(0.003):
            return self._dice.pick(CURIOSITIES)
        if self._recent and self._dice.chance(0.015):
            return self._dice.pick(self._recent)
        name = self._invent()
        if len(self._recent) < _RECENT:
            self._recent.append(name)
        else:
            self._recent[self._made % _RECENT] = name
        return name

    def family(self) -> str:
        """A family name to marry into."""
        return self._dice.pick(NORWEGIAN.families)

    def _invent(self) -> Name:
        dice = self._dice
        foreign = dice.chance(0.16)
        origin = dice.weigh(FOREIGN) if foreign else NORWEGIAN
        woman = dice.chance(0.55)
        firsts = origin.women if woman else origin.men
        given, family = dice.pick(firsts), dice.pick(origin.families)
        if dice.chance(0.18):
            given += dice.pick((" ", " ", "-")) + dice.pick(firsts)
        if dice.chance(0.12):
            family += dice.pick((" ", " ", "-")) + dice.pick(NORWEGIAN.families)
        return Name(given, family, "K" if woman else "M", foreign)


_FOLDS = str.maketrans({"æ": "ae", "ø": "o", "å": "a", "ł": "l", "ß": "ss", "þ": "th", "ð": "d", "đ": "d", "ı": "i"})


def mailbox(name: Name, number: int) -> str:
    """A private mail address in a domain that is reserved and has no mail (RFC 2606)."""
    text = f"{name.given.split()[0]}.{name.family.split()[-1]}".lower().translate(_FOLDS)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    local = "".join(sign for sign in plain if sign.isalnum() or sign in ".-").strip(".-")
    return f"{local or 'post'}{number % 1000}@post.example"
