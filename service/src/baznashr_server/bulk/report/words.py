"""What the page calls things, in English and in Persian."""

from __future__ import annotations

from baznashr.types import RepetitionKind, Verdict

VERDICTS: dict[str, tuple[str, str]] = {
    Verdict.EXACT: ("the same text, letter by letter", "عین متن"),
    Verdict.NEAR_DUPLICATE: ("the same article, edited", "همان مطلب با ویرایش"),
    Verdict.EXCERPT: ("wholly inside another article", "گزیده‌ای از مطلب دیگر"),
    Verdict.EXTENDED: ("another article and more", "مطلب دیگر با افزوده"),
    Verdict.TEMPLATE: ("a recurring report, other facts", "گزارش تکرارشونده با ارقام تازه"),
    Verdict.OVERLAP: ("shares long passages", "بندهای مشترک"),
    Verdict.NEW: ("nothing comparable", "تازه"),
}
KINDS: dict[str, tuple[str, str]] = {
    RepetitionKind.WHOLE_TEXT: ("the whole text twice", "همهٔ متن دو بار"),
    RepetitionKind.PARAGRAPH: ("a paragraph twice", "یک بند دو بار"),
    RepetitionKind.HEADLINE: ("the headline in the body twice", "تیتر دو بار در متن"),
}
SECTIONS: dict[str, tuple[str, str]] = {
    "totals": ("Totals", "در یک نگاه"),
    "verdicts": ("Verdicts", "رأی‌ها"),
    "sources": ("Sources", "منابع"),
    "time": ("Over time", "در گذر زمان"),
    "similarity": ("Similarity of the best match", "شباهت با نزدیک‌ترین مطلب"),
    "flow": ("Who republishes whom", "چه رسانه‌ای از چه رسانه‌ای بازنشر می‌کند"),
    "clusters": ("The largest clusters", "بزرگ‌ترین خوشه‌ها"),
    "edited": ("Edited copies, the least similar first", "بازنشرهای ویراسته"),
    "repetition": ("Articles that repeat themselves", "مطلب‌هایی که خود را تکرار می‌کنند"),
    "templates": ("Recurring reports", "گزارش‌های تکرارشونده"),
    "rejects": ("Rejected rows", "ردیف‌های ردشده"),
}
LABELS: dict[str, str] = {
    "articles judged": "مطلب سنجیده",
    "called repeated": "تکراری",
    "kept": "نگه‌داشته",
    "clusters": "خوشه",
    "repeat themselves": "خودتکرار",
    "rows rejected": "ردیف ردشده",
    "characters": "نویسه",
    "title": "عنوان",
    "source": "منبع",
    "published": "انتشار",
    "verdict": "رأی",
    "similarity": "شباهت",
    "articles": "مطلب",
    "share": "سهم",
    "earlier": "پیشین",
    "later": "پسین",
    "numbers that differ": "ارقام متفاوت",
}
"""Names of columns and totals, in Persian by what they are in English."""
NO_SOURCE = "(no source)"
STORED_BEFORE = "(stored before)"
OTHERS = "(all others)"
