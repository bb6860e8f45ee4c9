/* Function words of the Uralic, Turkic, Semitic, Indic and other languages that Snowball stems. */
#include "search/analysis/stop_words.h"

const char yr_stop_words_arabic[] =
    "أحد إذ إذا أكثر إلا التي الذي الذين اللاتي اللواتي إلى أم أما أن إن أنا أنت أنتم أنه إنه أنها إنها أو "
    "أولئك أي أيضا أين أيها بأن بعد بعض بل بها به بهذا بهم بين بينما تحت تكون تلك ثم ثمة جدا جميع حتى حول "
    "حيث حين خلال دون ذلك ذات سوف سوى ضد ضمن ظل عبر عدم على عليه عليها عن عند عندما غير فإن فقد فقط فهو "
    "فهي في فيه فيها قبل قد كان كانت كأن كذلك كل كلا كما كم كي كيف لا لأن لدى لذلك لكن لكل لم لماذا لن له "
    "لها لهم لو لولا لي ليس ليست ما ماذا متى مثل مع معظم مما من منذ منه منها مهما نحن نحو نعم نفس هؤلاء "
    "هذا هذه هكذا هل هم هما هن هنا هناك هنالك هو هي و وأن وإن وقد وكان وكانت ولا ولم ولكن وما ومن وهذا وهو "
    "وهي يا يكون يمكن";

const char yr_stop_words_basque[] =
    "al anitz arabera asko baina bat batean batek bati batzuei batzuek batzuetan batzuk bera beraiek berau "
    "berauek bere berori beroriek beste bezala da dago dira ditu du dute edo egin ere eta eurak ez gainera "
    "gu gutxi guzti haiei haiek haietan hainbeste hala han handik hango hara hari hark hartan hau hauei "
    "hauek hauetan hemen hemendik hemengo hi hona honek honela honetan honi hor hori horiei horiek "
    "horietan horko horra horrek horrela horretan horri hortik hura izan ni noiz nola non nondik nongo nor "
    "nora ze zein zen zenbait zenbat zer zergatik ziren zituen zu zuek zuen zuten";

const char yr_stop_words_finnish[] =
    "ei eivät emme en et että ette he heidän heidät heihin heille heillä heiltä heissä heistä heitä hän "
    "häneen hänelle hänellä häneltä hänen hänessä hänestä hänet häntä itse ja johon joiden joihin joiksi "
    "joilla joille joilta joina joissa joista joita joka joksi jolla jolle jolta jona jonka jos jossa "
    "josta jota jotka kanssa keiden ketkä ketä koska kuin kuka kun me meidän meidät meihin meille meillä "
    "meiltä meissä meistä meitä mihin mikä miksi millä mille miltä minkä minua minulla minulle minulta "
    "minun minussa minusta minut minuun minä missä mistä mitkä mitä mukaan mutta ne niiden niihin niiksi "
    "niille niillä niiltä niin niinä niissä niistä niitä noiden noita nuo nyt näiden näihin näiksi näille "
    "näillä näiltä näinä näissä näistä näitä nämä ole olemme olen olet olette oli olimme olin olisi "
    "olisimme olisin olisit olisitte olisivat olit olitte olivat olla olleet ollut on ovat poikki se sekä "
    "sen siihen siinä siitä siksi sille sillä siltä sinua sinulla sinulle sinun sinut sinä sitä tai te "
    "teidän teidät teihin teille teillä teitä tuo tuohon tuoksi tuolla tuolle tuon tuossa tuosta tuota "
    "tähän täksi tälle tällä tältä tämä tämän tänä tässä tästä tätä vaan vai vaikka yli";

const char yr_stop_words_hindi[] =
    "अंदर अपना अपनी अपने अभी आदि आप इत्यादि इन इनका इन्हीं इन्हें इन्होंने इस इसका इसकी इसके इसमें इसी इसे "
    "उन उनका उनकी उनके उनको उन्हीं उन्हें उन्होंने उस उसका उसकी उसके उसी उसे एक एवं एस ऐसे और कई कर करता "
    "करते करना करने करें कहते कहा का काफ़ी कि कितना किन्हें किन्होंने किया किस किसी किसे की कुछ कुल के को "
    "कोई कौन कौनसा गया जब जहाँ जा जितना जिन जिन्हें जिन्होंने जिस जिसे जैसा जैसे जो तक तब तरह तो था थी थे "
    "दिया दुसरा दूसरे दो द्वारा न नहीं ना नीचे ने पर पहले पूरा पे फिर बहुत बाद बिलकुल भी भीतर मगर मे में "
    "मैं यदि यह यहाँ यही या ये रखें रहा रहे लिए लिये लेकिन व वह वहाँ वहीं वाले वे वो सकता सकते सबसे सभी "
    "साथ सारा से सो ही हुआ हुई हुए है हैं हो होता होती होते होना होने हूँ";

const char yr_stop_words_hungarian[] =
    "a ahogy ahol aki akik akkor alatt által általában amely amelyek amelyekben amelyeket amelyet amelynek "
    "ami amíg amikor amit amott annak arra arról át az azért azok azon azonban azt aztán azután azzal bár "
    "be belül benne de e ebben eddig egész egy egyéb egyes egyetlen egyik egyre ehhez ekkor el elég ellen "
    "elő először előtt emilyen én ennek erre és ez ezek ezen ezért ezt ezzel fel felé ha hanem hiszen hogy "
    "hogyan igen így ill illetve ilyen ilyenkor is ison itt kell kellett keresztül ki kívül között közül "
    "le legalább legyen lehet lehetett lenne lenni lesz lett maga magát majd már más másik még mellett "
    "mely melyek mert mi miért míg mikor milyen minden mindenki mindig mint mintha mit mivel most nagyon "
    "ne néha néhány nekem neki nélkül nem nincs ő ők őket olyan ott pedig persze rá s saját sem semmi sok "
    "sokat sokkal számára szemben szerint szinte talán te tehát ti több tovább úgy ugyanis után utána vagy "
    "vagyis vagyok valaki valami valamint való van vannak viszont vissza voltak voltam volt volna";

const char yr_stop_words_indonesian[] =
    "ada adalah adanya agar akan akhirnya aku anda antara apa apabila apakah atas atau bagaimana bagi "
    "bahkan bahwa banyak beberapa begitu belum berada bila bisa boleh bukan dalam dan dapat dari daripada "
    "dengan di dia dimana hal hanya harus hingga ia ialah ini itu jadi jika juga kalau kami kamu karena ke "
    "kembali kemudian kepada ketika kita lagi lain lalu lebih maka mana masih mengapa menjadi mereka "
    "mungkin namun nya oleh pada para pernah pula saat saja saling sama sampai sangat saya se sebab "
    "sebagai sebuah secara sedang sehingga sejak sekali sekitar selain selama seluruh semua seorang "
    "seperti serta setelah setiap siapa suatu sudah supaya tak tanpa tapi telah tentang tersebut tetapi "
    "tidak untuk walaupun yaitu yakni yang";

const char yr_stop_words_irish[] =
    "a ach ag agus an aon ar arna as atá b ba be bhí bhúr cé chomh chuig chun cois d dar de den do don dul "
    "dá dár dó duit é eile faoi faoin faoina faoinár fara freisin ga gach gan go gur í i iad iar idir in "
    "ina inár is iontu le leis lena lenár m má mar mé mo mór mura na nach ná ní níor nó nuair os ó ón óna "
    "ónár roimh sa sé sibh sinn siad san sin sí so sna tá tar thar thú trí trína trínár tú um ár éis";

const char yr_stop_words_nepali[] =
    "अक्सर अगाडि अझै अनुसार अन्तर्गत अन्य अब अरु अरू अर्को अर्थात अहिले आए आएको आज आदि आफू आफूलाई आफै "
    "आफ्नै आफ्नो आयो उ उनको उनले उनी उनीहरू उसको उसले उहाँ एउटा एउटै एक एकदम औं कतै कम से कसरी कसै कसैले "
    "कहाँबाट कहिलेकाहीं का कि किन किनभने की कुन कुनै कुरा के केही को कोही कृपया गए गरि गरी गरे गरेका गरेको "
    "गरेर गरौं गर्छ गर्छन् गर्छु गर्दा गर्दै गर्न गर्नु गर्नुपर्छ गर्ने गर्यो चाहन्छु चाहिए छ छन् छु छैन "
    "छैनन् छौं जब जबकि जस्तो जसको जसबाट जसमा जसले जसलाई जस्तै जहाँ जान जे जो त तत्काल तथा तदनुसार तपाईं "
    "तपाईको तर तल तापनि तिनी तिनीहरू तिमी तिम्रो तिर ती तुरुन्तै त्यसको त्यसपछि त्यसले त्यसैले त्यहाँ "
    "त्यही त्यो थिए थिएन थियो थिएनन् दिए दिनुहोस् दुई देखि द्वारा धेरै न नत्र नि निम्न नै पछाडि पछि पनि "
    "पर्छ पहिले प्रति प्रत्येक फेरि बारे बाट बाहिर बाहेक बिच बिना भए भएको भएर भन भने भनेर भन्छन् भन्दा "
    "भन्ने भन्यो भर भित्र म मा मात्र माथि मलाई मेरो मैले यति यदि यद्यपि यस यसको यसपछि यसबाहेक यसमा यसरी "
    "यसले यसै यसैले यस्तो यहाँ यहाँसम्म यही या यी यो र रही रहेका रहेको रूपमा रे लगभग लगायत लाई लागि ले वा "
    "वाट वास्तवमा शायद सँग सँगै सक्छ सक्ने सधैं सबै सम्म साथ सो सोही हरेक हुँ हुन हुनत हुनु हुने हुन् "
    "हुन्छ हुन्थ्यो हैन हो होइन होकि होला";

const char yr_stop_words_tamil[] =
    "அங்கு அடுத்த அது அதற்கு அதன் அதனால் அதிக அதில் அதே அதை அந்த அந்தக் அப்போது அல்லது அவன் அவர் அவர்கள் "
    "அவள் அவை அன்று ஆகிய ஆகியோர் ஆகும் ஆனால் இங்கு இது இதற்கு இதன் இதனால் இதில் இதை இந்த இந்தக் இப்போது "
    "இரு இருக்கும் இருந்த இருந்தது இருந்து இல்லை இவர் இவை இன்னும் உள்ள உள்ளது உள்ளன உன் எந்த எல்லாம் என "
    "என்ற என்று என்பது என்ன எனக்கு எனப்படும் எனவே எனும் ஏன் ஒரு ஒரே ஓர் கொண்ட கொண்டு கீழ் சற்று சில செய்து "
    "செய்ய தவிர தன் தான் தனது நாம் நான் நீ பல பலரும் பற்றி பிறகு பிற பின் பின்னர் போது போல் போல போன்ற "
    "மட்டுமே மட்டும் மற்ற மற்றும் மிக மிகவும் மீது மேலும் மேல் யார் வந்த வந்து வரும் வரை வரையில் விட்டு "
    "விட வேண்டும் வேறு";

const char yr_stop_words_turkish[] =
    "acaba ama aslında az bana bazen bazı bazıları belki ben beni benim beş bile bir biraz birçok biri "
    "birkaç birşey biz bize bizi bizim böyle böylece bu buna bunda bundan bunlar bunları bunların bunu "
    "bunun burada bütün çoğu çok çünkü da daha dahi de defa değil diğer diye dolayı dolayısıyla edecek "
    "eden ederek edilecek ediliyor edilmesi ediyor eğer en etmesi etti ettiği ettiğini fakat gibi göre "
    "hâlâ halen hangi hatta hem hep hepsi her herhangi herkes hiç hiçbir için ile ilgili ise işte itibaren "
    "kadar karşın kendi kendilerine kendini kendisi kendisine kendisini kez ki kim kime kimse madem mı mi "
    "mu mü nasıl ne neden nedenle nerde nerede nereye niye niçin o olan olarak oldu olduğu olduğunu "
    "olduklarını olmadı olmadığı olmak olması olmayan olmaz olsa olsun olup olur olursa oluyor ona ondan "
    "onlar onlardan onları onların onu onun oysa öyle rağmen sadece sanki sen seni senin siz sizi sizin "
    "sonra şey şöyle şu şuna şunları şunu tarafından tüm var vardı ve veya ya yani yapacak yapılan "
    "yapılması yapıyor yapmak yaptı yaptığı yaptığını yaptıkları yerine yine yoksa zaten";
