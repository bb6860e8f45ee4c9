/* Function words of the Slavic and Baltic languages, Greek and Armenian. */
#include "search/analysis/stop_words.h"

const char yr_stop_words_armenian[] =
    "այդ այլ այն այս այսպես այստեղ բայց գրեթե դա դեպի դու դուք եթե ել եմ են ենք ես եք է էի էին էինք էիր "
    "էիք էր ըստ ի ին իսկ իր իրեն իրենց կամ կան կա կողմից հետ հետո համար մեզ մեր մենք մեջ միայն մի մինչև "
    "մոտ նա նաև նրա նրան նրանց նրանք նույն չեն չի որ որը որոնք որպես ու ում ով պիտի վրա տակ քան քո և";

const char yr_stop_words_greek[] =
    "ένα ένας έναν έχει έχουν ήταν αλλά αν αντί από απ αυτά αυτές αυτή αυτήν αυτής αυτό αυτοί αυτόν αυτός "
    "αυτού αυτούς αυτών για γιατί δε δεν εάν εγώ εδώ είμαι είμαστε είναι είσαι είστε είτε εκεί εκείνα "
    "εκείνες εκείνη εκείνο εκείνοι εκείνος εκείνων εμείς ενώ επί εσείς εσύ η ή θα ίσως κάθε και κατά κι "
    "κάποια κάποιο κάποιος λοιπόν μα με μέσα μεταξύ μετά μη μην μια μία μου μας ο οι όμως όπου όπως όσο "
    "όταν ότι ούτε όχι παρά περί πιο ποια ποιες ποιο ποιοι ποιος πολύ που πού προς πρέπει πριν πως πώς σαν "
    "σας σε στα στη στην στης στις στο στον στου στους στων σου τα την της τι τις το τον του τότε τους των "
    "χωρίς ως ώστε";

const char yr_stop_words_lithuanian[] =
    "abu apie ar arba aš bei be bet bus buvo būti būtų dar dėl di esame esate esi esu gal galbūt gali ir "
    "iš į ja jai jam jau jei jeigu ji jie jiems jį jo jog jokia joks jos juo juos jūs jų kad kai kaip kas "
    "kiek kiekvienas kita kitas kitų ko kodėl kol koks kur kuri kurie kurio kurios kuris kurių labai link "
    "man mane mano manęs mes mums mus mūsų nei nėra nes net nors nuo o pas pat pati pats per pernelyg po "
    "prie prieš pro sau savo su ta tada tai taip taigi tam tarp tas tau tave tavo te tegu ten ties tie tik "
    "to todėl toje toks tos tu tuo turi tų už va vėl vien viena vienas vis visa visas visi visų virš yra "
    "čia ši šie šio šios šis šių šią šį";

const char yr_stop_words_russian[] =
    "а без более больше будет будто бы был была были было быть в вам вами вас весь вдруг во вот все всё "
    "всего всей всем всеми всех всю вся вы где да даже для до его ее её ей ему если есть еще ещё же за "
    "здесь и из или им ими их к как какая какие какой ко когда кого ком кому которая которого которое "
    "которой которые который которых кто куда ли либо лишь между меня мне много мной мог может можно мои "
    "мой моя мы на над надо нам нами нас наш наша не него нее неё ней нельзя нем нём нет ни нибудь никогда "
    "ним ними них ничего но ну о об один однако он она они оно опять от отчего по под пока после потом "
    "потому почему почти при про раз разве с сам сама сами само свое своё своего своей свои свой своих "
    "свою себе себя сейчас со совсем так такая также такие такой там тебе тебя тем теми теперь то тобой "
    "тогда того тоже той только том тому тот ту тут ты у уж уже хоть хотя чего чей чем чему через что чтоб "
    "чтобы чуть эта эти этим этих это этого этой этом этому этот эту я";

/* In both scripts: the stemmer turns Cyrillic into Latin only after this. */
const char yr_stop_words_serbian[] =
    "a ali ako bez bi bih bila bile bili bilo bio biti bismo biste bude budu će ćemo ćete ćeš ću da dakle "
    "do dok duž ga gde i iako ih ili im iz iza ja je jedan jedna jedno jer jesam jeste jesu joj još ju kad "
    "kada kako kao kod koja koje kojeg kojem koji kojih kojoj koju ko kroz li lako mi mene meni moj moja "
    "moje mogu može na nad nakon nam nama nas naš naša naše ne nego neka neki neko nešto ni nije nisam "
    "nisu ništa njega njegov njemu njen njih njihov njoj no o od odmah on ona one oni ono ova ove ovi ovaj "
    "ovo ovde po pod pored posle pre preko prema pri s sa sam samo se sebe sebi smo ste su sve svi svoj "
    "svoja svoje ta taj tako takođe te tebe tebi ti to toga toj tom tome tu u uz vam vama vas vaš vaša "
    "veoma već vi više za zar zašto zbog što šta а али ако без би бих била биле били било био бити бисмо "
    "бисте буде буду ће ћемо ћете ћеш ћу да дакле до док дуж га где и иако их или им из иза ја је један "
    "једна једно јер јесам јесте јесу јој још ју кад када како као код која које којег којем који којих "
    "којој коју ко кроз ли лако ми мене мени мој моја моје могу може на над након нам нама нас наш наша "
    "наше не него нека неки неко нешто ни није нисам нису ништа њега његов њему њен њих њихов њој но о од "
    "одмах он она оне они оно ова ове ови овај ово овде по под поред после пре преко према при с са сам "
    "само се себе себи смо сте су све сви свој своја своје та тај тако такође те тебе теби ти то тога тој "
    "том томе ту у уз вам вама вас ваш ваша веома већ ви више за зар зашто због што шта";
