"""The captions' words and templates, English and Chinese, with synonyms."""

Words = dict[str, dict[str, tuple[str, ...]]]

SHAPE_WORDS: Words = {
    "en": {
        "circle": ("circle", "circle", "disc", "disk", "dot"),
        "square": ("square", "square", "box"),
        "triangle": ("triangle",),
        "star": ("star",),
        "diamond": ("diamond", "diamond", "rhombus"),
        "cross": ("cross", "cross", "plus", "plus sign"),
        "ring": ("ring", "ring", "donut", "hoop"),
        "heart": ("heart",),
    },
    "zh": {
        "circle": ("圆形", "圆", "圆圈", "圆点"),
        "square": ("正方形", "方形", "方块"),
        "triangle": ("三角形", "三角"),
        "star": ("星形", "星星", "五角星"),
        "diamond": ("菱形", "钻石形", "钻石"),
        "cross": ("十字", "十字形", "加号"),
        "ring": ("圆环", "环形", "环"),
        "heart": ("心形", "爱心", "心"),
    },
}
OPEN_SHAPE = {"en": ("shape", "object", "figure"), "zh": ("图形", "形状", "物体")}
COLOUR_WORDS: Words = {
    "en": {
        "red": ("red", "red", "crimson", "scarlet"),
        "orange": ("orange",),
        "yellow": ("yellow", "yellow", "golden"),
        "green": ("green",),
        "cyan": ("cyan", "cyan", "turquoise", "aqua"),
        "blue": ("blue",),
        "purple": ("purple", "purple", "violet"),
        "pink": ("pink",),
        "white": ("white",),
        "black": ("black",),
    },
    "zh": {
        "red": ("红色", "红色", "红"),
        "orange": ("橙色", "橙", "橘色"),
        "yellow": ("黄色", "黄", "金黄色"),
        "green": ("绿色", "绿"),
        "cyan": ("青色", "青", "青绿色"),
        "blue": ("蓝色", "蓝"),
        "purple": ("紫色", "紫"),
        "pink": ("粉色", "粉红色", "粉"),
        "white": ("白色", "白"),
        "black": ("黑色", "黑"),
    },
}
SIZE_WORDS: Words = {
    "en": {
        "small": ("small", "small", "little", "tiny"),
        "medium": ("medium", "medium", "medium sized", "mid sized"),
        "large": ("large", "big", "big", "huge"),
    },
    "zh": {
        "small": ("小", "小小的", "很小的"),
        "medium": ("中等", "中等大小的", "中号"),
        "large": ("大", "很大的", "巨大的"),
    },
}
POSITION_WORDS: Words = {
    "en": {
        "top left": ("in the top left corner", "at the top left", "in the upper left"),
        "top": ("at the top", "in the upper part"),
        "top right": ("in the top right corner", "at the top right", "in the upper right"),
        "left": ("on the left", "on the left side"),
        "center": ("in the center", "in the middle", "in the centre"),
        "right": ("on the right", "on the right side"),
        "bottom left": ("in the bottom left corner", "at the bottom left", "in the lower left"),
        "bottom": ("at the bottom", "in the lower part"),
        "bottom right": ("in the bottom right corner", "at the bottom right", "in the lower right"),
    },
    "zh": {
        "top left": ("左上角", "左上方"),
        "top": ("上方", "顶部", "上面"),
        "top right": ("右上角", "右上方"),
        "left": ("左边", "左侧"),
        "center": ("中间", "中央", "正中间", "中心"),
        "right": ("右边", "右侧"),
        "bottom left": ("左下角", "左下方"),
        "bottom": ("下方", "底部", "下面"),
        "bottom right": ("右下角", "右下方"),
    },
}
#: {a} is the left or upper thing, {b} the other one.
PAIR_TEMPLATES: dict[str, dict[str | None, tuple[str, ...]]] = {
    "en": {
        "side by side": (
            "{a} to the left of {b}",
            "{b} to the right of {a}",
            "{a} left of {b}",
            "{b} right of {a}",
            "{a} on the left and {b} on the right",
            "{a} on the left, {b} on the right",
            "{b} on the right, {a} on the left",
            "{a} next to {b}",
            "{a} beside {b}",
            "{a} and {b} side by side",
        ),
        "stacked": (
            "{a} above {b}",
            "{b} below {a}",
            "{a} over {b}",
            "{b} under {a}",
            "{b} beneath {a}",
            "{a} on top of {b}",
            "{a} at the top and {b} at the bottom",
            "{a} at the top, {b} at the bottom",
            "{b} at the bottom, {a} at the top",
        ),
        None: ("{a} and {b}", "{a}, {b}", "{a} with {b}"),
    },
    "zh": {
        "side by side": (
            "{a}在{b}的左边",
            "{b}在{a}的右边",
            "{a}在{b}左边",
            "{b}在{a}右侧",
            "左边是{a}，右边是{b}",
            "左边{a}，右边{b}",
            "右边是{b}，左边是{a}",
            "{a}在左边，{b}在右边",
            "{a}和{b}并排",
        ),
        "stacked": (
            "{a}在{b}的上面",
            "{b}在{a}的下面",
            "{a}在{b}上方",
            "{b}在{a}下方",
            "{b}在{a}下面",
            "上面是{a}，下面是{b}",
            "下面是{b}，上面是{a}",
            "{a}在上面，{b}在下面",
        ),
        None: ("{a}和{b}", "{a}，{b}", "{a}与{b}"),
    },
}
SINGLE_TEMPLATES = {
    "en": ("{a} {p}", "{a} {p}", "{a}, {p}", "{p}, {a}"),
    "zh": ("{a}在{p}", "{a}位于{p}", "{p}有{a}", "{p}的{a}", "{a}，{p}", "{p}是{a}"),
}
BACKGROUND_TEMPLATES = {
    "en": (
        "{x} on a {c} background",
        "{x} on {c} background",
        "{x} against a {c} background",
        "{x} with a {c} background",
        "{x}, {c} background",
        "{c} background, {x}",
        "on a {c} background, {x}",
    ),
    "zh": (
        "{x}，{c}背景",
        "{x}，背景是{c}",
        "{c}背景，{x}",
        "{c}背景上的{x}",
        "{c}背景上，{x}",
        "在{c}背景上，{x}",
    ),
}
OPENINGS = {
    "en": ("a picture of ", "an image of ", "a drawing of ", "draw ", "a painting of "),
    "zh": ("一张图：", "画", "一幅画，", "图片：", "请画"),
}
DISTRACTORS = {
    "en": (
        "masterpiece", "best quality", "high quality", "detailed", "highly detailed", "4k", "8k",
        "beautiful", "simple", "minimalist", "flat design", "vector art", "digital art", "clean",
        "sharp", "sharp focus", "illustration", "trending on artstation", "cute", "photo", "logo",
        "blurry", "low quality", "worst quality", "watermark", "text", "ugly", "noise", "bad",
        "deformed", "jpeg artifacts", "hd", "art", "geometry", "icon", "poster", "cat", "city",
    ),
    "zh": (
        "杰作", "高质量", "最佳画质", "精美", "简约", "高清", "极简", "扁平风格", "矢量图", "插画",
        "可爱", "模糊", "低质量", "水印", "细节丰富", "最差质量", "丑陋", "噪点", "文字", "海报",
        "几何", "图标", "清晰", "艺术",
    ),
}  # fmt: skip
