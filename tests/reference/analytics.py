#!/usr/bin/env python3
"""What `pricepipe query` has to answer, computed a second time and otherwise: by definition, in decimals of 80 digits.

Standard input: `milliseconds,price` per line, oldest first. Arguments: a question and its parameters. Standard output: a
JSON object per row, as `--output ndjson` has it without collection and symbol; every number as a text, digit for digit.
"""
import json
import sys
from datetime import datetime, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal, getcontext

getcontext().prec = 80
EXACT = Context(prec=16, rounding=ROUND_HALF_EVEN)
LOGARITHMIC = Context(prec=12, rounding=ROUND_HALF_EVEN)
YEAR_MILLIS = 365 * 86_400_000


def figure(value, context=EXACT):
    """Rounded once, without trailing zeros and without an exponent; no more than 28 decimals."""
    rounded = context.plus(value)
    if -rounded.as_tuple().exponent > 28:
        rounded = value.quantize(Decimal(1).scaleb(-28), rounding=ROUND_HALF_EVEN)
    text = format(rounded, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def moment(millis):
    time = datetime.fromtimestamp(millis // 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return (f"{time}.{millis % 1000:03d}".rstrip("0") if millis % 1000 else time) + "Z"


def mean(values):
    return sum(values) / len(values)


def deviation(values):
    middle = mean(values)
    return (sum((value - middle) ** 2 for value in values) / (len(values) - 1)).sqrt()


def stats(series):
    values = [price for _, price, _ in series]
    first_of = lambda wanted: next(point for point in series if point[1] == wanted)
    least, greatest = first_of(min(values)), first_of(max(values))
    yield {
        "count": str(len(series)),
        "first": moment(series[0][0]),
        "last": moment(series[-1][0]),
        "min": least[2],
        "minTime": moment(least[0]),
        "max": greatest[2],
        "maxTime": moment(greatest[0]),
        "average": figure(mean(values)),
        "standardDeviation": figure(deviation(values)),
    }


def jump_row(before, after):
    percent = (after[1] - before[1]) * 100 / before[1]
    return {
        "fromTime": moment(before[0]),
        "fromPrice": before[2],
        "toTime": moment(after[0]),
        "toPrice": after[2],
        "percent": figure(percent),
    }


def jumps(series, percent):
    for before, after in zip(series, series[1:]):
        if abs(after[1] - before[1]) * 100 >= Decimal(percent) * before[1]:
            yield jump_row(before, after)


def jumps_within(series, percent, millis):
    """The greatest of all moves that end at a price, the rise before the fall, then the latest; told once."""
    begin = 0
    for end, after in enumerate(series):
        found = []
        for index in range(end - 1, begin - 1, -1):
            before = series[index]
            if after[0] - before[0] > int(millis):
                break
            move = (after[1] - before[1]) / before[1]
            if abs(move) * 100 >= Decimal(percent):
                found.append((abs(move), move > 0, before[0], index))
        if found:
            yield jump_row(series[max(found)[3]], after)
            begin = end


def moving_average(series, window):
    window = int(window)
    weight, exponential = Decimal(2) / (window + 1), None
    for end in range(window, len(series) + 1):
        time, price, text = series[end - 1]
        simple = mean([value for _, value, _ in series[end - window : end]])
        exponential = simple if exponential is None else exponential + (price - exponential) * weight
        yield {"time": moment(time), "price": text, "simple": figure(simple), "exponential": figure(exponential)}


def volatility(series, window):
    window = int(window)
    logarithms = [price.ln() for _, price, _ in series]
    returns = [after - before for before, after in zip(logarithms, logarithms[1:])]
    for end in range(window, len(returns) + 1):
        time, _, text = series[end]
        spread, span = deviation(returns[end - window : end]), time - series[end - window][0]
        yearly = spread * (Decimal(YEAR_MILLIS) * window / span).sqrt() if span > 0 else None
        yield {
            "time": moment(time),
            "price": text,
            "volatility": figure(spread, LOGARITHMIC),
            "annualised": "null" if yearly is None else figure(yearly, LOGARITHMIC),
        }


def candles(series, millis):
    intervals = {}
    for point in series:
        intervals.setdefault(point[0] // int(millis) * int(millis), []).append(point)
    for start, points in intervals.items():
        # `max` and `min` keep the first of equals.
        yield {
            "start": moment(start),
            "open": points[0][2],
            "high": max(points, key=lambda point: point[1])[2],
            "low": min(points, key=lambda point: point[1])[2],
            "close": points[-1][2],
            "count": str(len(points)),
        }


QUESTIONS = {
    "stats": stats,
    "jumps": jumps,
    "jumps-within": jumps_within,
    "moving-average": moving_average,
    "volatility": volatility,
    "candles": candles,
}


def main():
    question, *parameters = sys.argv[1:]
    lines = (line.strip().split(",") for line in sys.stdin if line.strip())
    series = [(int(time), Decimal(price), price) for time, price in lines]
    for row in QUESTIONS[question](series, *parameters):
        print(json.dumps(row))


main()
