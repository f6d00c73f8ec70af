"""Files of COGS and SLOG: side, sha256 and size in bytes of the content."""

COGS_FILES = (
    ("train", "220b3804b562c0156ee986eff1bdd15c27e52142549362a64f57baf86e304c78", 4146574),
    ("dev", "ab66388a309c7ac1ad210c781a6a0ce12281a9ef24619a12422a752cef61bc21", 522121),
    ("test", "68f8e51e9f6d9cd22d64efe68dd21d7ea5ba327e9a2359481030161aea757035", 521111),
    ("gen", "d013d9eee0bafc153f8decc85f42814ac97260f84964d980e1e2b84577b82361", 5532102),
)
SLOG_FILES = (
    ("train", "0afc442d1cfca446a3c356c58e979df631d19f863b62edd2c4d6cc70a34e0778", 3796762),
    ("dev", "8677b6b92f9649e74f9e99c2affc9a8a0c4810a612dd32fcd1b45448ca3647f9", 472711),
    ("test", "2f2942a345507ef6af5885ccde48f08bf32a1dd2ba0e19da371d4bbd40b90644", 472539),
)
SLOG_TESTS = ("data/generalization_sets.zip", "99a13618b033b9f5721107f4c163d035d92a2fee340b217a5a1f6abc63842647", 1659834)
