"""The compiled reader behind `numbers`: code points to tokens, tokens to numbers.

Tokens are runs of digits or of letters. Only words of the vocabulary are kept; each token carries the position of its
word, so that two tokens are neighbours when nothing but white space or a ZWNJ lies between them. All the vocabulary
comes in as arrays, so the machine code kept between runs does not depend on it.
"""

from __future__ import annotations

import numpy as np

from baznashr_server.kernel import kernel

DROPPED, SPACE, BREAK, DIGIT_ZERO, DIGIT_NINE = 0, 1, 2, 0x30, 0x39
OTHER_LETTER = 0xFFFF
"""What the folding table makes of a code point: one of these, a digit, or a letter of the canonical form."""

CONTEXT, DIGITS, LONG_DIGITS, CARDINAL, SCALE, HALF, AND, ORDINAL_SUFFIX, ORDINAL_WORD, PLURAL, VAGUE = range(11)
WEEKDAY, SATURDAY, MONTH, LUNAR_HEAD, LUNAR_TAIL = range(11, 16)
"""Roles of tokens. SATURDAY is «شنبه», which also ends five other weekdays; LUNAR_HEAD is «ربیع» and its like."""

ORDINAL, CLOSED = 1, 2
"""Flags: the word ends a compound, as an ordinal or because a noun is written into it."""
LEADING_AND, TRAILING_AND = 4, 8
"""Flags: «و» is written into the word, before or behind."""
GUARDED, COUNTS_UNITS = 16, 32
"""Flags: also an ordinary word, so it counts only in a compound (a month: in a date), or before a unit as well."""
UNIT, YEAR, VERB, WORSHIP, IN, MINISTER, PLACE, MONTH_WORD, LETTER_NAME, GLUED_ONLY = (1 << bit for bit in range(6, 16))
"""Flags of the words around; LETTER_NAME is the Persian name of a Latin letter, as in «بی‌بی‌سی»."""

ROLE, VALUE, EXPONENT, ROOM, FLAGS, WORD, START, END, TOKEN_COLUMNS = range(9)
"""Columns of a token. ROOM: what follows after «و» in one compound is smaller than this."""
ENTRY_COLUMNS = FLAGS + 1
USUAL_TOKEN = 16
"""Code points of a text for each of its tokens, or more; where there are fewer, room is made twice."""

NUMBER_KIND, ORDINAL_KIND, WEEKDAY_KIND, MONTH_KIND = range(4)
HASH_START, HASH_FACTOR = 0xCBF29CE484222325, 0x9E3779B97F4A7C15
MAX_DIGITS = 17
MANTISSA_LIMIT = 10**MAX_DIGITS
EXPONENT_BITS, EXPONENT_BIAS = 6, 32

COLON, POINT, COMMA, SLASH, PERSIAN_COMMA, DECIMAL_MARK, THOUSANDS_MARK = (ord(mark) for mark in ":.,/،٫٬")
ZWNJ, LAST_SPACE, LAST_ASCII = 0x200C, 0x20, 0x7F


@kernel
def _is_digit(codes, fold, i):
    return 0 <= i < codes.size and DIGIT_ZERO <= fold[codes[i]] <= DIGIT_NINE


@kernel
def _run_end(codes, fold, i):
    while _is_digit(codes, fold, i):
        i += 1
    return i


@kernel
def _number_end(codes, fold, i):
    """Return where the whole part and the number end: 1,234.5 and ۱٬۲۳۴/۵ are one number, 1402/05/24 is three."""
    first = whole = _run_end(codes, fold, i)
    if first == codes.size or first == i:
        return first, first
    mark = codes[first]
    inside = i > 1 and _is_digit(codes, fold, i - 2)
    before = codes[i - 1] if inside else np.uint32(0)
    grouping = mark in (COMMA, THOUSANDS_MARK, PERSIAN_COMMA, POINT, DECIMAL_MARK)
    if grouping and first - i <= 3 and mark != before:
        at, groups = first, 0
        while at < codes.size and codes[at] == mark and _run_end(codes, fold, at + 1) == at + 4:
            at += 4
            groups += 1
        chained = at < codes.size and codes[at] == mark and _is_digit(codes, fold, at + 1)
        if not chained and (groups > 1 or (groups == 1 and mark != POINT and mark != DECIMAL_MARK)):
            whole = at
    if whole == codes.size or (whole > first and codes[whole] == mark):
        return whole, whole
    mark = codes[whole]
    longest = 0
    if mark in (POINT, DECIMAL_MARK):
        longest = MAX_DIGITS - 2
    elif mark == SLASH:
        longest = 3
    elif mark == COMMA:
        longest = 2
    end = _run_end(codes, fold, whole + 1)
    chained = mark == before or (end < codes.size and codes[end] == mark and _is_digit(codes, fold, end + 1))
    if chained or not 1 <= end - whole - 1 <= longest:
        return whole, whole
    return whole, end


@kernel
def _read_digits(codes, fold, i, token):
    """Fill *token* from the number that starts at *i*; more digits than an integer holds become a negative hash."""
    whole, end = _number_end(codes, fold, i)
    mantissa, exponent, count = 0, 0, 0
    mixed = np.uint64(HASH_START)
    for k in range(i, end):
        code = fold[codes[k]]
        if DIGIT_ZERO <= code <= DIGIT_NINE:
            digit = np.int64(code) - DIGIT_ZERO
            count += count > 0 or digit > 0
            mixed = (mixed ^ np.uint64(code)) * np.uint64(HASH_FACTOR) if count > 0 else mixed
            mantissa = mantissa * 10 + digit if count <= MAX_DIGITS else 0
            exponent -= k > whole
    token[ROLE], token[VALUE], token[EXPONENT], token[ROOM], token[FLAGS] = DIGITS, mantissa, exponent, 1, 0
    if count > MAX_DIGITS:
        token[ROLE], token[VALUE] = LONG_DIGITS, -1 - np.int64(mixed >> np.uint64(1))
    return end


@kernel
def _address_end(codes, fold, i):
    """Return where the web address whose colon is at *i* ends, else the next position: its digits count nothing."""
    if i + 2 >= codes.size or codes[i + 1] != SLASH or codes[i + 2] != SLASH:
        return i + 1
    while i < codes.size and (LAST_SPACE < codes[i] <= LAST_ASCII or _is_digit(codes, fold, i)):
        i += 1
    return i


@kernel
def _fill(tokens, codes, fold, may_be_known, keys, entries):
    """Put the tokens that matter into *tokens* and return how many they are; -1 where there is no room for all."""
    shift, filter_mask = np.uint64(64) - np.uint64(np.log2(keys.size)), np.uint64(may_be_known.size - 1)
    i = word = count = 0
    while i < codes.size:
        code = fold[codes[i]]
        if code <= BREAK:
            word += code == BREAK
            i = _address_end(codes, fold, i) if codes[i] == COLON else i + 1
            continue
        word += 1
        if count == tokens.shape[0]:
            return -1
        start = end = i
        if code <= DIGIT_NINE:
            i = _read_digits(codes, fold, i, tokens[count])
            tokens[count, WORD], tokens[count, START], tokens[count, END] = word, start, i
            count += 1
            continue
        mixed = np.uint64(HASH_START)
        while i < codes.size:
            code = fold[codes[i]]
            if SPACE <= code <= DIGIT_NINE:
                break
            if code != DROPPED:
                mixed = (mixed ^ np.uint64(code)) * np.uint64(HASH_FACTOR)
                end = i + 1
            i += 1
        if not may_be_known[mixed & filter_mask]:
            continue
        slot = np.int64(mixed >> shift)
        while keys[slot] != np.uint64(0):
            if keys[slot] == mixed:
                for column in range(ENTRY_COLUMNS):
                    tokens[count, column] = entries[slot, column]
                tokens[count, WORD], tokens[count, START], tokens[count, END] = word, start, end
                count += 1
                break
            slot = (slot + 1) & (keys.size - 1)
    return count


@kernel
def _tokenise(codes, fold, may_be_known, keys, entries):
    """Return the tokens that matter, int64[t, TOKEN_COLUMNS]."""
    room, count = codes.size // USUAL_TOKEN + 1, -1
    while count < 0:
        tokens = np.empty((room, TOKEN_COLUMNS), np.int64)
        count = _fill(tokens, codes, fold, may_be_known, keys, entries)
        room *= 2
    return tokens[:count]


@kernel
def _follows(tokens, i, j):
    """Whether tokens *i* and *j* exist and nothing but white space lies between them."""
    return i >= 0 and j < tokens.shape[0] and tokens[j, WORD] == tokens[i, WORD] + 1


@kernel
def _has(tokens, i, j, flag):
    """Whether *j*, the neighbour of *i*, has the flag."""
    return _follows(tokens, min(i, j), max(i, j)) and tokens[j, FLAGS] & flag != 0


@kernel
def _power_of_ten(exponent):
    power = 1
    for _ in range(exponent):
        power *= 10
    return power


@kernel
def _key(mantissa, exponent):
    """Return the one integer that stands for mantissa * 10**exponent, however it was written."""
    if mantissa == 0:
        return EXPONENT_BIAS
    while mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    return (mantissa << EXPONENT_BITS) + exponent + EXPONENT_BIAS


@kernel
def _multiplies(tokens, j):
    return tokens[j, ROLE] == SCALE or (tokens[j, ROLE] == CARDINAL and tokens[j, VALUE] == 100)


@kernel
def _starts_number(tokens, i):
    """Whether the word at *i* is a number here: «یک» and «نه» alone are not, nor the «سی» of «بی‌بی‌سی»."""
    role, flags, following = tokens[i, ROLE], tokens[i, FLAGS], i + 1
    if role == SCALE:
        return tokens[i, VALUE] == 1000 or flags & ORDINAL != 0
    if role == HALF or flags & GUARDED:
        if not _follows(tokens, i, following):
            return False
        if flags & COUNTS_UNITS and tokens[following, FLAGS] & UNIT:
            return True
        if _multiplies(tokens, following) or tokens[following, FLAGS] & LEADING_AND:
            return True
        if role == HALF or tokens[following, ROLE] != AND or not _follows(tokens, following, i + 2):
            return False
        return tokens[i + 2, ROLE] in (DIGITS, CARDINAL, SCALE, HALF)
    if role != CARDINAL:
        return False
    if flags & LETTER_NAME and (_has(tokens, i, i - 1, LETTER_NAME) or _has(tokens, i, following, LETTER_NAME)):
        return False
    if (flags & ORDINAL and _has(tokens, i, i - 1, VERB)) or _has(tokens, i, following, PLACE):
        return False
    percent = tokens[i, VALUE] == 100 and _has(tokens, i, i - 1, IN) and _follows(tokens, i - 2, i - 1)
    return not (percent and tokens[i - 2, ROLE] in (DIGITS, CARDINAL, HALF))


@kernel
def _next_part(tokens, last):
    """Return the token that may continue a compound after *last*, and whether «و» joins it; -1 where none does."""
    at = last + 1
    joined = tokens[last, FLAGS] & TRAILING_AND != 0
    if not joined and _follows(tokens, last, at):
        if tokens[at, ROLE] == AND:
            joined = True
            at += 1
        elif tokens[at, FLAGS] & LEADING_AND:
            joined = True
    if not _follows(tokens, at - 1, at):
        return -1, joined
    weekday = tokens[at, ROLE] == CARDINAL and tokens[at, VALUE] <= 5
    if weekday and _follows(tokens, at, at + 1) and tokens[at + 1, ROLE] == SATURDAY:
        return -1, joined
    return at, joined


@kernel
def _scaled(total, group, scale, step):
    """Return the total once a scale word follows, or -1: -1 too where the value would grow out of bounds.

    «دو میلیون و سیصد هزار» adds; «دو هزار و پانصد میلیارد» multiplies all; «بیست هزار و سی هزار» is two numbers.
    """
    if scale == 0 or (step > scale and (group == 0 or scale == 1000)):
        factor, rest = total + group, 0
    elif step < scale and group > 0:
        factor, rest = group, total
    else:
        return -1
    if factor > (MANTISSA_LIMIT - rest) // step:
        return -1
    return rest + factor * step


@kernel
def _suffix_fits(codes, tokens, last, at):
    """Whether «ام», «امین», «م» or «مین» belongs to the number; the short ones only where no space lies between."""
    if tokens[at, ROLE] != ORDINAL_SUFFIX:
        return False
    end, start = tokens[last, END], tokens[at, START]
    return tokens[at, FLAGS] & GLUED_ONLY == 0 or start == end or (start == end + 1 and codes[end] == ZWNJ)


@kernel
def _is_year(tokens, i):
    year = tokens[i, VALUE]
    return tokens[i, ROLE] == DIGITS and tokens[i, EXPONENT] == 0 and (50 <= year <= 99 or 1200 <= year < 2200)


@kernel
def _read_compound(codes, tokens, i):
    """Return the last token, the mantissa, the exponent and the ordinal flag of the number that starts at *i*."""
    flags, room = tokens[i, FLAGS], tokens[i, ROOM]
    total, group, exponent, scale = 0, tokens[i, VALUE], tokens[i, EXPONENT], 0
    if room >= 1000:
        total, group, scale = group, 0, room
    kept_last, kept_total = i, total + group
    last = i
    while not flags & (ORDINAL | CLOSED):
        at, joined = _next_part(tokens, last)
        if at < 0 or (last == i and _is_year(tokens, i) and _has(tokens, i, i - 1, YEAR)):
            break
        part, value, unit = tokens[at, ROLE], tokens[at, VALUE], _power_of_ten(-exponent)
        if part == SCALE and not joined:
            grown = _scaled(total, group, scale, value)
            if grown < 0:
                if scale > 0 and group > 0:
                    return kept_last, kept_total, exponent, 0
                break
            total, group, scale, room = grown, 0, value, value
            kept_last, kept_total = at, total
        elif part == CARDINAL and value == 100 and not joined:
            single = exponent == 0 and 0 < group < 10 and group == tokens[last, VALUE]
            if not single or tokens[at, FLAGS] & ORDINAL:
                break
            group, room = group * 100, 100
        elif part == SCALE and value < room:
            total, group, scale, room = total + value * unit, 0, value, value
            kept_last, kept_total = at, total
        elif joined and (part == CARDINAL or part == DIGITS) and 0 < value < room:
            if tokens[at, EXPONENT] != 0 or value > MANTISSA_LIMIT // unit:
                break
            group, room = group + value * unit, tokens[at, ROOM]
        elif joined and part == HALF and room > 0 and max(total, group, scale * unit) < MANTISSA_LIMIT // 10:
            # Half of the scale just named, «دو میلیون و نیم», else one half.
            half = 5 * unit * (scale if group == 0 and scale > 0 else 1)
            total, group, exponent, room = total * 10, group * 10 + half, exponent - 1, 0
        elif not joined and _suffix_fits(codes, tokens, last, at):
            return at, total + group, exponent, ORDINAL
        else:
            break
        last, flags = at, tokens[at, FLAGS]
    return last, total + group, exponent, flags & ORDINAL


@kernel
def _skip_scales(tokens, i):
    """Return the last of the scale words behind *i*: «چند صد هزار» names no number."""
    while _follows(tokens, i, i + 1) and (
        _multiplies(tokens, i + 1) or (tokens[i + 1, ROLE] == CARDINAL and tokens[i + 1, VALUE] == 10)
    ):
        i += 1
    return i


@kernel
def _is_date(tokens, i, last_number):
    """Whether the month name at *i*, also an ordinary word, stands in a date."""
    if (last_number >= 0 and _follows(tokens, last_number, i)) or _has(tokens, i, i - 1, MONTH_WORD):
        return True
    if not _follows(tokens, i, i + 1):
        return False
    return _is_year(tokens, i + 1) or tokens[i + 1, FLAGS] & (MONTH_WORD | YEAR) != 0


@kernel
def _read_name(tokens, i, last_number):
    """Return the last token, the kind and the value of the weekday, month or lone ordinal at *i*; kind -1 for none."""
    role, value = tokens[i, ROLE], tokens[i, VALUE]
    following = tokens[i + 1, ROLE] if _follows(tokens, i, i + 1) else CONTEXT
    if role == CARDINAL and following == SATURDAY and 1 <= value <= 5:
        return i + 1, WEEKDAY_KIND, value
    if role == SATURDAY or (role == WEEKDAY and not _has(tokens, i, i - 1, WORSHIP)):
        return i, WEEKDAY_KIND, value
    if role == MONTH and (not tokens[i, FLAGS] & GUARDED or _is_date(tokens, i, last_number)):
        return i, MONTH_KIND, value
    if role == LUNAR_HEAD and following == LUNAR_TAIL:
        return i + 1, MONTH_KIND, value + tokens[i + 1, VALUE]
    if role == ORDINAL_WORD and not _has(tokens, i, i + 1, MINISTER):
        return i, ORDINAL_KIND, _key(value, 0)
    return i, -1, 0


@kernel
def scan_numbers(codes, fold, may_be_known, keys, entries):
    """Return kind uint8[k], value int64[k], start uint32[k] and end uint32[k] of what `numbers` describes."""
    tokens = _tokenise(codes, fold, may_be_known, keys, entries)
    kinds, values = np.empty(tokens.shape[0], np.uint8), np.empty(tokens.shape[0], np.int64)
    starts, ends = np.empty(tokens.shape[0], np.uint32), np.empty(tokens.shape[0], np.uint32)
    count, i, last_number = 0, 0, -1
    while i < tokens.shape[0]:
        role = tokens[i, ROLE]
        last, kind, value = _read_name(tokens, i, last_number)
        if kind < 0 and role == LONG_DIGITS:
            kind, value = NUMBER_KIND, tokens[i, VALUE]
        elif kind < 0 and (role == DIGITS or _starts_number(tokens, i)):
            last, mantissa, exponent, ordinal = _read_compound(codes, tokens, i)
            kind, value = (ORDINAL_KIND if ordinal else NUMBER_KIND), _key(mantissa, exponent)
            plural = _follows(tokens, last, last + 1) and tokens[last + 1, ROLE] == PLURAL
            if plural and tokens[last, ROLE] != DIGITS:
                kind, last = -1, _skip_scales(tokens, last + 1)
        elif role == VAGUE:
            last = _skip_scales(tokens, i)
        if kind >= 0:
            kinds[count], values[count], starts[count], ends[count] = kind, value, tokens[i, START], tokens[last, END]
            count += 1
            last_number = last if kind <= ORDINAL_KIND else last_number
        i = last + 1
    return kinds[:count], values[:count], starts[:count], ends[:count]
