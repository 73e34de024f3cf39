"""Sentences of our own in languages that only Whisper speaks among the packaged systems."""

SENTENCES: dict[str, list[str]] = {
    language: lines.strip().split("\n")
    for language, lines in {
        "de": """
Gestern Abend sind wir mit dem Zug nach Hamburg gefahren.
Die Bibliothek ist am Sonntag leider geschlossen.
Meine Schwester arbeitet seit drei Jahren in einem Krankenhaus.
Können Sie mir bitte sagen, wo der Bahnhof ist?
Das Wetter wird morgen wieder schöner, sagt der Bericht.
Er hat den ganzen Tag im Garten gearbeitet und war sehr müde.
Wir müssen noch Brot, Milch und Käse einkaufen.
Die Kinder spielen draußen, obwohl es regnet.
Im Sommer fahren viele Familien an die Küste, um sich dort zu erholen.
Wenn du heute Abend Zeit hast, können wir zusammen kochen und einen Film ansehen.
Die alte Brücke über den Fluss wird im nächsten Frühjahr erneuert.
Mein Großvater hat uns oft Geschichten aus seiner Jugend erzählt.
Nach der Arbeit gehe ich meistens noch eine Stunde im Wald spazieren.
Der Arzt hat ihr geraten, mehr Wasser zu trinken und früher schlafen zu gehen.
Auf dem Markt kauft man das Gemüse billiger als im Geschäft.
Leider habe ich den Schlüssel im Büro vergessen und muss noch einmal zurück.
""",
        "fr": """
Hier soir, nous avons pris le train pour Marseille.
La bibliothèque est malheureusement fermée le dimanche.
Ma sœur travaille depuis trois ans dans un hôpital.
Pouvez-vous me dire où se trouve la gare, s'il vous plaît ?
Il fera plus beau demain, selon le bulletin météo.
Il a travaillé toute la journée dans le jardin et il était très fatigué.
Nous devons encore acheter du pain, du lait et du fromage.
Les enfants jouent dehors malgré la pluie.
""",
        "es": """
Ayer por la noche tomamos el tren a Barcelona.
La biblioteca está cerrada los domingos.
Mi hermana trabaja desde hace tres años en un hospital.
¿Puede decirme dónde está la estación, por favor?
Mañana hará mejor tiempo, según el pronóstico.
Trabajó todo el día en el jardín y estaba muy cansado.
Todavía tenemos que comprar pan, leche y queso.
Los niños juegan fuera aunque está lloviendo.
""",
        "ko": """
어제 저녁에 우리는 기차를 타고 부산에 갔습니다.
도서관은 일요일에 문을 닫습니다.
제 동생은 병원에서 일하고 있습니다.
내일은 날씨가 더 좋아질 것입니다.
그는 하루 종일 정원에서 일했습니다.
우리는 빵과 우유를 사야 합니다.
아이들이 밖에서 놀고 있습니다.
오늘 회의는 오후에 시작합니다.
""",
        "ja": """
昨日の夜、私たちは電車で大阪に行きました。
図書館は日曜日に休みです。
妹は病院で働いています。
駅はどこですか、教えてください。
明日は天気が良くなるそうです。
彼は一日中庭で働きました。
パンと牛乳を買わなければなりません。
子供たちは外で遊んでいます。
夏には多くの家族が海へ出かけます。
仕事が終わってから、公園を散歩します。
祖父はよく昔の話をしてくれました。
医者は水をもっと飲むように言いました。
市場では野菜が店より安く買えます。
川にかかる古い橋は来年の春に直されます。
会社に鍵を忘れたので、もう一度戻らなければなりません。
時間があれば、今夜一緒に映画を見ましょう。
""",
    }.items()
}
