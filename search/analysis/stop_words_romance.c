/* Function words of the Romance languages. What elision leaves of articles ("l", "qu") is cut off before. */
#include "search/analysis/stop_words.h"

const char yr_stop_words_catalan[] =
    "a abans algun alguna algunes alguns així al als altra altre altres amb aquell aquella aquelles "
    "aquells aquest aquesta aquestes aquests això allò bé cada com contra d de del dels des després doncs "
    "dos el ella elles ells els em en encara ens entre era eren es esta estan estar estat està et fa fer "
    "fins ha haver havia he hem hi ho i ja jo l la les li llavors lo m mateix meu meva més molt molts n ni "
    "no nosaltres nostra nostre o on pel pels per perquè però poc qual quals quan quant que quin quina què "
    "s sense ser serà seu seus seva seves si sobre sota són t també tan tant te tenir teu tot tota totes "
    "tots tu un una unes uns us va van vosaltres vostra vostre és érem";

const char yr_stop_words_french[] =
    "a à ai aie ainsi alors au aucun aucune aussi autre autres aux avaient avais avait avant avec avez "
    "avions avoir avons ayant c car ce ceci cela celle celles celui ces cet cette ceux chaque chez comme "
    "comment d dans de depuis des deux donc dont du elle elles en encore entre es est et étaient étais "
    "était étant été êtes être eu eux furent fut ici il ils j je jusqu l la le lequel les leur leurs "
    "lorsque lui m ma mais me même mêmes mes moi moins mon n ne ni nos notre nous on ont ou où par parce "
    "pas pendant peu peut plus pour pourquoi puis qu quand que quel quelle quelles quelque quelques quels "
    "qui quoi s sa sans se selon sera seront ses si soi soit sommes son sont sous sur suis t ta tandis te "
    "tes toi ton tous tout toute toutes très tu un une vers voici voilà vos votre vous y";

const char yr_stop_words_italian[] =
    "a abbiamo ad agli ai al alcuni alla alle allo anche ancora avere aveva avevano avete ben c che chi ci "
    "cioè coi col come con contro cui d da dagli dai dal dalla dalle dallo degli dei del della delle dello "
    "dentro di dopo dove e è ed egli ella era erano essa esse essendo essere essi esso fa fra fu furono "
    "gli ha hanno ho i il in io l la le lei lo loro lui m ma me mentre mi mia mie miei mio ne né negli nei "
    "nel nella nelle nello no noi non nostra nostre nostri nostro o od ogni oppure per perché perciò però "
    "più poi poiché prima proprio qual quale quali quando quanta quanti quanto quella quelle quelli quello "
    "questa queste questi questo qui quindi s sarà saranno se sé sei senza si sia siamo siano siete solo "
    "sono sopra sotto stata state stati stato su sua sue sugli sui sul sulla sulle sullo suo suoi t tale "
    "tali te ti tra tu tua tue tuo tuoi tutta tutte tutti tutto un una uno v vi voi vostra vostre vostri "
    "vostro";

const char yr_stop_words_portuguese[] =
    "a à ainda ao aos apenas aquela aquelas aquele aqueles aquilo as às até cada com como contra da das de "
    "dela delas dele deles depois desde dessa desse desta deste do dos e é ela elas ele eles em embora "
    "enquanto entre era eram essa essas esse esses esta está estamos estão estar estas estava estavam este "
    "esteja estes esteve estive estou eu foi for foram fosse há haja isso isto já lhe lhes mais mas me "
    "mesma mesmo meu meus minha minhas muito muitos na não nas nem no nos nós nossa nossas nosso nossos "
    "num numa o os ou para pela pelas pelo pelos per perante pois por porque portanto qual quais quando "
    "que quem são se seja sejam sem sempre sendo ser será serão seu seus si sido só sob sobre somos sou "
    "sua suas também tampouco te tem têm tenha tenho ter teu teus teve tinha tinham tu tua tuas tudo um "
    "uma umas uns você vocês vos";

const char yr_stop_words_romanian[] =
    "a acea aceasta această aceea acei aceia acel acela acele acelea acest acesta aceste acestea aceşti "
    "aceștia acum ai aici al ale alt alta alte am ar are aș aşa așa asupra atât atunci au avea avem aveți "
    "ca că când care cât câte către ce cel cele celor cei chiar cine cînd conform cu cum da dacă dar de "
    "deci decât deja deoarece departe deși despre din dintre doar după ea ei el ele era erau este eu fără "
    "fi fie fiecare fiind fost i iar îi îl îmi în înainte încă între într îşi își îți la le li lor lui mă "
    "mai mea mei mele meu mi mult multe mulți ne nici nimic niște noastră nostru noi nu o ori oricare pe "
    "pentru peste până poate prea prin pune să sa sale sau său se și şi spre sub sunt ta tale tău te tot "
    "toată toate toți totul tu un una unde unei unele unii unor unui va vă voi vom vor vostru";

const char yr_stop_words_spanish[] =
    "a al algo algún alguna algunas alguno algunos allí ante antes aquel aquella aquellas aquello aquellos "
    "aquí así aun aún aunque cada como cómo con contra cual cuál cuales cuando cuándo cuanto cuyo cuya "
    "cuyos cuyas de del desde donde dónde durante e él el ella ellas ello ellos en entre era eran eras "
    "eres es esa esas ese eso esos esta está estaba estaban estado estamos están estar estas este esto "
    "estos estoy fue fueron fui ha había habían haber habrá han has hasta hay he hemos hubo la las le les "
    "lo los más me mi mí mía mientras mío mis misma mismo mucho muchos muy nada ni no nos nosotros nuestra "
    "nuestras nuestro nuestros o os otra otras otro otros para pero poco por porque pues que qué quien "
    "quién quienes se sé sea sean según ser será serán si sí sido siendo sin sino sobre sois solo sólo "
    "somos son soy su sus suya suyo tal también tampoco tan tanto te tenía tengo ti tiene tienen toda "
    "todas todo todos tu tú tus tuya tuyo un una unas uno unos vosotros vuestra vuestro y ya yo";
