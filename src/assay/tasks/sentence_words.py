"""The words of the sentences. Nouns and verbs are regular: an s makes nouns plural and verbs singular."""

PEOPLE = (
    *("actor", "artist", "author", "baker", "banker", "builder", "captain", "chef", "clerk", "trainer", "cook", "dancer"),
    *("designer", "doctor", "driver", "editor", "engineer", "farmer", "gardener", "guard", "guest", "guide", "hunter"),
    *("judge", "lawyer", "leader", "manager", "mayor", "minister", "neighbor", "nurse", "officer", "owner", "painter"),
    *("pilot", "plumber", "poet", "porter", "reporter", "sailor", "senator", "singer", "skater", "student", "surgeon"),
    *("tailor", "teacher", "tutor", "waiter", "writer"),
)
THINGS = (
    *("album", "article", "book", "bridge", "camera", "castle", "chair", "clock", "drawing", "essay", "film", "garden"),
    *("house", "lamp", "letter", "machine", "movie", "novel", "painting", "picture", "poem", "report", "script", "song"),
    *("statue", "table", "tower", "train", "window", "wheel"),
)
PERSON_ACTS = (
    *("arrive", "bow", "complain", "cough", "weep", "dance", "dream", "faint", "fall", "frown", "grin", "hesitate", "jump"),
    *("knock", "laugh", "listen", "nod", "pause", "rest", "return", "run", "shout", "sing", "sleep", "smile", "sneeze"),
    *("speak", "stumble", "swim", "talk", "travel", "wait", "walk", "wave", "whistle", "yawn"),
)
THING_ACTS = (
    *("age", "amaze", "appear", "bore", "break", "change", "count", "crack", "delight", "disappear", "exist", "fade"),
    *("improve", "matter", "remain", "shine", "survive", "tremble"),
)
FEELINGS = (  # verbs with a person as subject and a person or thing as object
    *("admire", "avoid", "blame", "choose", "defend", "describe", "notice", "enjoy", "forget", "follow", "ignore", "know"),
    *("like", "mention", "prefer", "praise", "remember", "see", "trust", "value"),
)
DONE_TO_ONESELF = (  # past tense, which has no number
    *("amused", "blamed", "burned", "calmed", "comforted", "corrected", "cured", "defended", "described", "disguised"),
    *("distrusted", "doubted", "dressed", "educated", "embarrassed", "encouraged", "excused", "exhausted", "frightened"),
    *("helped", "hurt", "introduced", "invited", "mocked", "praised", "protected", "pushed", "surprised", "taught", "washed"),
)
PLACES = ("behind", "beside", "near", "opposite", "above", "below")
SINGULAR_PRONOUNS = ("himself", "herself")
PLURAL_PRONOUNS = ("themselves",)
FRAME = ("the", "that")
