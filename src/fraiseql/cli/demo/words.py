"""The words of which the sample blog is made, some of them hard on quoting and encoding."""

from __future__ import annotations

__all__ = [
    "AWKWARD_NAMES",
    "AWKWARD_TEXTS",
    "CITIES",
    "COUNTRIES",
    "ENDINGS",
    "FIRST_NAMES",
    "LAST_NAMES",
    "OPENINGS",
    "SENTENCES",
    "STREETS",
    "SUBJECTS",
    "TAGS",
]

FIRST_NAMES = (
    *("Ada", "Alan", "Amélie", "André", "Barbara", "Björn", "Chiara", "Chloé", "Dmitri", "Edsger", "Élise", "Frances"),
    *("Grace", "Håkon", "Ines", "Jörg", "Karen", "Katherine", "Léa", "Linus", "Małgorzata", "Margaret", "Mehmet"),
    *("Miyuki", "Niklaus", "Núria", "Olga", "Øystein", "Radia", "Søren", "Tim", "Yukihiro", "Zoë"),
)
LAST_NAMES = (
    *("Allen", "Brontë", "Curie", "Dijkstra", "Doğan", "Fraise", "García", "Goldberg", "Hamilton", "Hopper"),
    *("Jensen", "Kowalski", "Lamarr", "Liskov", "Lovelace", "Matsumoto", "Müller", "Nguyễn", "O'Brien", "Perlman"),
    *("Ritchie", "Šimek", "Tanaka", "Thompson", "Torres", "Turing", "van Rossum", "Wirth", "Ångström"),
)
AWKWARD_NAMES = (
    'Siobhán "Shiv" O\'Connor',
    "李小龍",
    "Back\\slash \\n Brown",
    "🍓 Strawberry 👩‍👩‍👧",
    "Robert'); drop table users;--",
    "مريم الأندلسي",
    "Zalgo Z̸̧͝a̵̢͐",
    "%s $1 {name} :id",
    " padded ",
)
CITIES = (
    *(("Paris", "FR"), ("Orléans", "FR"), ("Köln", "DE"), ("Zürich", "CH"), ("Kraków", "PL"), ("Malmö", "SE")),
    *(
        ("Århus", "DK"),
        ("San Sebastián", "ES"),
        ("São Paulo", "BR"),
        ("İstanbul", "TR"),
        ("東京", "JP"),
        ("Cork", "IE"),
    ),
)
COUNTRIES = {
    "BR": "Brazil",
    "CH": "Switzerland",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FR": "France",
    "IE": "Ireland",
    "JP": "Japan",
    "PL": "Poland",
    "SE": "Sweden",
    "TR": "Türkiye",
}
STREETS = ("Main Street", "Rue de l'Église", "Königstraße", "Calle Mayor", "Storgatan", "Long Lane", "ul. Świętej Anny")
TAGS = (
    "art",
    "climbing",
    "cooking",
    "databases",
    "fête",
    "gardening",
    "graphs",
    "music",
    "naïveté",
    "running",
    "日本語",
)
OPENINGS = (
    *("A short history of", "Against", "All about", "Five notes on", "How I learned to love", "In praise of"),
    *("Living with", "Notes on", "The case for", "The trouble with", "What nobody says about", "Why I gave up on"),
)
SUBJECTS = (
    *("café tables", "compilers", "cold water", "early trains", "foreign keys", "“good” errors", "index cards"),
    *(
        "jam & jelly",
        "long walks",
        "mountain huts",
        "null values",
        "old maps",
        "recursion",
        "slow mornings",
        "strawberries",
    ),
    *("test data", "time zones", "tiny kitchens", "type systems", "wild garlic"),
)
ENDINGS = ("(again)", "in ten minutes", "— part 2", "for beginners", "without tears", "at 3 a.m.", "🌱")
SENTENCES = (
    "It took me a year to see it.",
    "Nobody had told me that it could be so simple.",
    "The first attempt was a mess, as first attempts are.",
    "Measure it, then measure it once more.",
    "I would do the same again tomorrow.",
    "My neighbour's dog disagrees.",
    "There is a drawing of it on the back of an envelope.",
    "Somebody asked me about this last week.",
    "The short answer is yes; the long answer is “it depends”.",
    "Every rule here has one exception.",
    "Start small and keep what works.",
    "Ça marche très bien, merci.",
    "The index was there all along.",
    "A good name saves an hour.",
)
AWKWARD_TEXTS = (
    "First line\nsecond line\r\n\tand an indented third.",
    'She said: "It\'s only a \\ in C:\\temp".',
    "</script><script>alert('not here')</script> & friends",
    "Emoji 🍓🚀, a flag 🇪🇺 and the replacement sign \ufffd.",
    "Line \u2028 and paragraph \u2029 separators, and a control \u0001 character.",
    '{"looks": ["like", "JSON"]}',
    "",
    "null",
    "İi ıI ß ﬁ — case is not simple",  # noqa: RUF001
)
