"""An application as many are: Django's ORM, a page that lists authors with their books and books with their authors.

    python3 -m venv venv && venv/bin/pip install django psycopg2-binary
    venv/bin/python tests/orm/shop.py DATABASE load|naive|fixed

`load` makes the schema by Django's own migration operations and fills it; `naive` shows ten pages as one writes them
first; `fixed` shows the same pages with prefetch_related and select_related. DATABASE is a libpq URL.
"""
import sys
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings

url = urlsplit(sys.argv[1])
query = {name: values[0] for name, values in parse_qs(url.query).items()}
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path[1:],
            "USER": url.username or query.get("user", "postgres"),
            "PASSWORD": url.password or "",
            "HOST": query.get("host", url.hostname or ""),
            "PORT": query.get("port", url.port or ""),
        }
    },
    INSTALLED_APPS=[],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402


class Author(models.Model):
    name = models.CharField(max_length=80)
    country = models.IntegerField(db_index=True)

    class Meta:
        app_label = "shop"


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
    shelf = models.IntegerField(db_index=True)

    class Meta:
        app_label = "shop"


def load():
    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    Author.objects.bulk_create(Author(name=f"author {i}", country=i % 20) for i in range(400))
    authors = list(Author.objects.values_list("id", flat=True))
    Book.objects.bulk_create(
        Book(title=f"book {i}", author_id=authors[i % len(authors)], shelf=i % 40) for i in range(2000)
    )


def pages(authors, books):
    seen = 0
    for page in range(10):
        with transaction.atomic():
            for author in authors.filter(country=page):
                seen += len(author.book_set.all())
            for book in books.filter(shelf=page):
                seen += len(book.author.name)
    return seen


if sys.argv[2] == "load":
    load()
elif sys.argv[2] == "naive":
    print(pages(Author.objects, Book.objects))
else:
    print(pages(Author.objects.prefetch_related("book_set"), Book.objects.select_related("author")))
