"""The files of texts, word relations and WordNet: path in their source, sha256 and size in bytes of the content."""

GUTENBERG_FILES = (
    ("austen-emma.txt", "76a28c636265905bcf72712d80d1c6e773e55279b919b843825cb2770b99e59e", 920017),
    ("austen-persuasion.txt", "8e3cd75843eae6578c0b8f48350615ed653910b3f645e514391e07ba5eb2e40c", 479538),
    ("austen-sense.txt", "22327c09d537811b7f15006aaad69ad25d98b8c5f2a6fb0203ec13e9f3982d84", 694241),
    ("blake-poems.txt", "160dc526b20d661fa5b86b31dda98b1e869e6a6eadf258b99108d43ed09c961d", 37615),
    ("bryant-stories.txt", "957ece2242697855a68d6a0216a0c6443dab7ed2d17da3f86e379035b849fca2", 252045),
    ("burgess-busterbrown.txt", "4e4242a7c5c7e0703ea9b9daa1b6b61e7cafca902748a4be64d9ec9b55b09c6a", 85640),
    ("carroll-alice.txt", "b430be55ff4362199591ff6958afbcd0dc4e1a28d0d9c6796b780c207d7c8760", 150526),
    ("chesterton-ball.txt", "e21f058f0cbf7c14189c973006ba214b90c733d581ca0fc69b99e3d75b068445", 470295),
    ("chesterton-brown.txt", "db337dcffb50771b2415b69a2775d372578804e65f8fdec6e53c096b95d95e99", 414568),
    ("chesterton-thursday.txt", "10e1acb6c64ba4d2ca89697c7bf923798797f5c24f139b6e451b5b7d6d7482d0", 333374),
    ("edgeworth-parents.txt", "bd9bc2cfaadf7acbffa8dd63569041624a659cf753e5d8d31c7300c1c004f297", 956476),
    ("melville-moby_dick.txt", "07fb87e563dbbe9523179e9ba2ec00dcd0e293641dbfd3db25d2f915430d3d8b", 1257667),
    ("milton-paradise.txt", "85c5b1cfe49474f4c19c54b8f997b839f16253ed282a86c93d56542e196ece05", 472323),
    ("shakespeare-caesar.txt", "36b5d937cbfe110de7720277d819e1cc41cf9ddb053b97a26d9df67f31c94200", 114399),
    ("shakespeare-hamlet.txt", "6d06298ee6448bd48a2250ee00a4a2d9a9e4487a46c75ee22271ccfc0cf3d6ef", 166144),
    ("shakespeare-macbeth.txt", "444ea649552ad86fbb74b0926f8a3f888264a04e30308191afa544f51e607976", 102744),
    ("whitman-leaves.txt", "802545502fcc24ef7ad48ec1e61db70fd7b4002662cf6d0a05a4619052cae83d", 722146),
)
TINY_SHAKESPEARE_FILES = (("input.txt", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed", 1115394),)
GENESIS_FILES = (
    ("english-kjv.txt", "06b1c2bf303e656ed594c79293da1b7509ff39f640f7b7ebcc09fdeb2903800f", 195515),
    ("english-web.txt", "d23a00d6204d13338b730b6acabcb3725cfe54716d18b47b01861ddf4d2d6d4e", 188666),
    ("french.txt", "4c602e92fba9658611d7513fb36bbbcc47568519a15b3856b1c06c6550c88c3c", 191426),
    ("swedish.txt", "23719348857da29eab1ce5f18efa2945fd7714d1fbbc7894cee6e7a9a794a247", 192894),
)
WIKITEXT2_FILES = (
    ("test.txt", "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0", 1256449),
    ("valid.txt", "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8", 1121681),
)
WORD_RELATION_FILES = (
    ("google-analogies.csv", "3a7d337376275a174f38598ce55057c44f2abedcf58ec72b72909e68f3895ba9", 1045406),
    ("men.csv", "ee7efb13c361afe12a6b1a58654833f97029e0b0540859f8db503c2f75782e44", 94507),
    ("wordsim353-rel.csv", "a20580f54dca51d02585568eaa6f4ba4d289498f6ecfa589eea46bf836885e76", 6063),
    ("wordsim353-sim.csv", "97444f54a2c22693f7f458c15278976c125360f33f2f6f8e1c6245123c2c14c7", 4714),
)
WORDNET_FILES = (
    ("LICENSE.txt", "c4163fc9f8aea62a084f355753bf6d0c54d2582384eae13574e8847aa6bc227e", 1656),
    ("data.noun", "2cad22fe43461ee7ae61a564ae6a518c57445c8597e53542caddb5c26a6a5d94", 15325523),
    ("data.verb", "eb1cf196dab6e1b815a1c86fa20c909fb7413b2f34250d7fe60a0fb35ef59e03", 2778475),
    ("index.noun", "799fad7c8084eb0f6f2a32ec737a251c85f51adb8b2603eb02bfebc4ce5ffa3d", 4792749),
    ("index.verb", "e65b2d67274c8a5f9ba6f696fdc73f4546db2a138b362a3be582e3787c879c7a", 524435),
)
