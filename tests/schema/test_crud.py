"""What `fraiseql.crud` makes of a type, and each way in which it can be wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from itertools import permutations
from typing import Any

import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.errors import SchemaError
from fraiseql.pipeline import print_sdl


@fraiseql.enum
class Mood(Enum):
    GOOD = "good"


@fraiseql.type
class Address:
    street: str
    moods: list[Mood] | None
    house_number: int | None = fraiseql.field(key="no")

    @fraiseql.field
    def line(self) -> str:
        return self.street


def types() -> dict[str, Any]:
    """New classes each time: `crud` leaves its word on them."""

    @fraiseql.interface(discriminator="kind")
    class Pet:
        name: str

    @fraiseql.type(when="cat")
    class Cat(Pet):
        name: str

    @fraiseql.type(sql_source="people", jsonb_column=None)
    class Person:
        id: ID
        name: str
        """Given and family name."""
        email: str | None
        team_id: ID
        tags: list[str]
        extra: JSON | None
        address: Address | None
        mood: Mood = fraiseql.field(column="state_of_mind", deprecated="Ask.")
        loud: str = fraiseql.field(sql="upper({name})")
        team: Team = fraiseql.relation(on={"id": "team_id"})
        notes: list[Note] = fraiseql.relation(on={"person_id": "id"})
        cats: fraiseql.Connection[Note] = fraiseql.relation(on={"cat_id": "id"})
        figures: fraiseql.Aggregate[Note] = fraiseql.relation(on={"person_id": "id"})
        tidy: Note | None = fraiseql.relation(on={"text": "name"})
        groups: list[Team] = fraiseql.relation(through="person_team", on={"id": "team"}, own={"person": "id"})

        @fraiseql.field
        def shout(self) -> str:
            return self.name

    @fraiseql.type(sql_source="teams", jsonb_column=None)
    class Team:
        id: ID
        title: str

    @fraiseql.type(sql_source="v_note")
    class Note:
        id: ID
        text: str
        pet: Pet | None

    @fraiseql.type(sql_source="news", jsonb_column=None)
    class News:
        id: ID

    @fraiseql.type
    class Inner:
        id: ID

    @fraiseql.query
    def people() -> list[Person]: ...

    return {
        "Person": Person,
        "Team": Team,
        "Note": Note,
        "News": News,
        "Inner": Inner,
        "Cat": Cat,
        "Pet": Pet,
        "query": people,
    }


def schema(names: dict[str, Any], **more: Any) -> fraiseql.Schema:
    # Classes inside a function are told by the list.
    listed = [each for name, each in names.items() if name != "query"]
    return fraiseql.Schema(types=[*listed, *more.pop("types", ())], queries=[names["query"]], **more)


def test_what_is_made() -> None:
    names = types()
    fraiseql.crud(names["Team"])
    fraiseql.crud(names["Note"], table="note", generated=("id",), read_only=("pet",), update=True, plural="Slips")
    assert (
        fraiseql.crud(
            names["Person"],
            create=True,
            update=True,
            delete=True,
            upsert=(("email",), ("name", "team_id")),
            generated=("id",),
            optional=("tags",),
            nested=("team", "notes", "groups"),
        )
        is names["Person"]
    )
    sdl = print_sdl(schema(names))
    shown = "\n".join(line for line in sdl.splitlines() if line.strip() and '"""' not in line)
    for wanted in (
        """type Mutation {
  createPerson(input: CreatePersonInput!): Person!
  createPeople(input: [CreatePersonInput!]!): [Person!]!
  updatePerson(id: ID!, input: UpdatePersonInput!): Person
  updatePeople(where: PersonWhereInput!, input: UpdatePersonInput!): [Person!]!""",
        """
  upsertPerson(input: UpsertPersonInput!, onConflict: PersonConflict! = email): Person!
  upsertPeople(input: [UpsertPersonInput!]!, onConflict: PersonConflict! = email): [Person!]!
  deletePerson(id: ID!): Person
  deletePeople(where: PersonWhereInput!): [Person!]!""",
        """
  updateNote(id: ID!, input: UpdateNoteInput!): Note
  updateSlips(where: NoteWhereInput!, input: UpdateNoteInput!): [Note!]!
}""",
        """
input CreatePersonInput {
  name: String!
  email: String
  teamId: ID
  tags: [String!]
  extra: JSON
  address: AddressInput
  mood: Mood!
  team: CreatePersonTeamInput
  notes: [CreatePersonNotesInput!]
  groups: [CreatePersonGroupsInput!]
}""",
        """
input UpdatePersonInput {
  name: String
  email: String
  teamId: ID
  tags: [String!]
  extra: JSON
  address: AddressInput
  mood: Mood @deprecated(reason: "Ask.")
}""",
        """
input UpsertPersonInput {
  name: String!
  email: String
  teamId: ID
  tags: [String!]
  extra: JSON
  address: AddressInput
  mood: Mood!
}""",
        """
input AddressInput {
  street: String!
  moods: [Mood!]
  houseNumber: Int
}""",
        """
input CreatePersonTeamInput @oneOf {
  create: CreateTeamInput
  connect: ID
}""",
        """
input CreatePersonNotesInput {
  text: String!
}""",
        """
enum PersonConflict {
  email
  name_teamId
}""",
    ):
        assert wanted in shown, shown


def test_only_what_is_asked_for_is_made() -> None:
    names = types()
    fraiseql.crud(names["Person"], delete=True, many=False)
    sdl = print_sdl(schema(names))
    assert "type Mutation {\n" in sdl
    assert "  deletePerson(id: ID!): Person\n}" in sdl
    assert "input Create" not in sdl
    assert "deletePeople" not in sdl


Given = Callable[[dict[str, Any]], Any]


def person(**options: Any) -> Given:
    """`crud` of Person, beside others that it needs."""

    def call(names: dict[str, Any]) -> None:
        fraiseql.crud(names["Team"])
        fraiseql.crud(names["Person"], **{"create": True, "nested": ("team",), **options})

    return call


def of(name: str, **options: Any) -> Given:
    return lambda names: fraiseql.crud(names[name], **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (of("Pet", create=True), "crud(Pet): found <class"),
        (lambda names: fraiseql.crud(int), "crud(int): found <class 'int'>; expected a class under @fraiseql.type"),
        (lambda names: fraiseql.crud("User"), "crud(User): found 'User'; expected a class under @fraiseql.type"),
        (person(create=1), "crud(Person) (create): found 1; expected True or False"),
        (person(many=None), "crud(Person) (many): found None; expected True or False"),
        (person(key=3), "crud(Person) (key): found 3; expected the name of an attribute"),
        (person(columns=["name"]), 'crud(Person) (columns): found [\'name\']; expected {"attribute": "column"}'),
        (
            person(table="other", columns={"name": ""}),
            "crud(Person) (columns): found ''; expected a PostgreSQL identifier",
        ),
        (
            person(columns={"name": "title"}),
            "crud(Person) (columns): found columns={'name': 'title'} of the table that the type is read from; expected",
        ),
        (person(generated="id"), "crud(Person) (generated): found 'id'; expected (\"attribute\", ...)"),
        (person(optional=(1,)), 'crud(Person) (optional): found (1,); expected ("attribute", ...)'),
        (person(nested=("team", "team")), "crud(Person) (nested): found ('team', 'team'); expected each name once"),
        (person(upsert="email"), "crud(Person) (upsert): found 'email'; expected True,"),
        (person(upsert=()), "crud(Person) (upsert): found (); expected True,"),
        (person(upsert=("email", ("name",))), "crud(Person) (upsert): found ('email', ('name',)); expected True,"),
        (person(upsert=(("email",), ())), "crud(Person) (upsert): found (('email',), ()); expected True,"),
        (
            person(upsert=(("email", "name"), ("name", "email"))),
            "crud(Person) (upsert): found (('email', 'name'), ('name', 'email')); expected True,",
        ),
        (person(upsert=("nope",)), "crud(Person) (upsert): found 'nope'; expected an attribute of Person"),
        (person(upsert=("tags",)), "crud(Person) (upsert): found tags of the type [String!]!; expected values"),
        (person(upsert=("extra",)), "crud(Person) (upsert): found extra of the type JSON; expected values"),
        (person(upsert=("loud",)), "crud(Person) (upsert): found loud, which no column holds; expected a column's"),
        (person(upsert=True, generated=("id",)), "crud(Person) (upsert): found id, which no input has; expected"),
        (person(generated=("nope",)), "crud(Person) (generated): found 'nope'; expected an attribute of Person"),
        (person(generated=("team",)), "crud(Person) (generated): found team, which no column holds; expected"),
        (person(optional=("shout",)), "crud(Person) (optional): found shout, which no column holds; expected"),
        (
            person(generated=("id",), optional=("id",)),
            "crud(Person) (optional): found id, which is in generated too; expected one of them",
        ),
        (
            person(read_only=("name",), optional=("name",)),
            "crud(Person) (read_only): found name, which is in optional too; expected one of them",
        ),
        (person(read_only=("id",)), "crud(Person) (key): found id, which is read_only; expected a column"),
        (person(key="nope"), "crud(Person) (key): found 'nope'; expected an attribute of Person"),
        (person(key="email"), "crud(Person) (key): found email of the type String; expected a field of one value"),
        (person(key="tags"), "crud(Person) (key): found tags of the type [String!]!; expected a field of one value"),
        (person(key="team"), "crud(Person) (key): found team of the type Team!; expected a field of one value"),
        (
            person(table="other", columns={"name": "email"}),
            "crud(Person) (columns): found the column email for name and for email; expected read_only=...",
        ),
        (person(table="a.b.c"), "crud(Person) (table): found 'a.b.c'; expected 'name' or 'schema.name'"),
        (person(plural="2"), "crud(Person) (plural): found the name '2'; expected a GraphQL name"),
        (person(plural="Person"), "crud(Person) (plural): found 'Person'; expected plural="),
        (of("News", create=True), "crud(News) (plural): found 'News'; expected plural="),
        (of("News", update=True), "crud(News) (update): found no column; expected one that can be changed"),
        (
            of("News", create=True, generated=("id",), many=False),
            "crud(News) (create): found no column; expected one that an input has",
        ),
        (of("Inner", create=True), "crud(Inner): found Inner without sql_source; expected a type with sql_source"),
        (of("Note", create=True), "crud(Note) (table): found none, for v_note, whose fields are in jsonb; expected"),
        (
            of("Note", create=True, table="note"),
            "crud(Note): Note.pet: found Pet, which is an interface or a union; expected read_only=... or generated=",
        ),
        (of("Team"), "crud(Team): found no mutation; expected create, update, delete or upsert, or a crud(...) that"),
        (person(nested=("name",)), "crud(Person) (nested): found name, which is no relation; expected relation(...)"),
        (person(nested=("nope",)), "crud(Person) (nested): found 'nope'; expected an attribute of Person"),
        (person(nested=("notes",)), "crud(Person) (nested): found notes, whose type has no crud(...); expected crud(N"),
    ],
)
def test_every_mistake_is_named(call: Given, message: str) -> None:
    names = types()

    def declare() -> None:
        call(names)
        schema(names)

    with pytest.raises(SchemaError) as caught:
        declare()
    assert str(caught.value).startswith(message), str(caught.value)


@pytest.mark.parametrize(
    ("nested", "message"),
    [
        ("figures", "crud(Person) (nested): found figures of the type NoteAggregate!; expected rows, or a row"),
        ("tidy", "crud(Person) (nested): found tidy, on={'text': 'name'}; expected the key of Person or of Note among"),
    ],
)
def test_relations_that_nothing_is_created_along(nested: str, message: str) -> None:
    names = types()
    fraiseql.crud(names["Note"], table="note", generated=("id",), read_only=("pet",))
    fraiseql.crud(names["Person"], create=True, nested=(nested,))
    with pytest.raises(SchemaError) as caught:
        schema(names)
    assert str(caught.value).startswith(message), str(caught.value)


@fraiseql.type(sql_source="orgs", jsonb_column=None)
class Org:
    id: ID
    crews: list[Crew] = fraiseql.relation(on={"org_id": "id"})
    tags: list[Tag] = fraiseql.relation(through="org_tags", on={"id": "tag"}, own={"org": "id"})


@fraiseql.type(sql_source="crews", jsonb_column=None)
class Crew:
    id: ID
    org_id: ID
    partner_id: ID | None
    partner: Org | None = fraiseql.relation(on={"id": "partner_id"})


@fraiseql.type(sql_source="tags", jsonb_column=None)
class Tag:
    id: ID
    orgs: list[Org] = fraiseql.relation(through="org_tags", on={"id": "org"}, own={"tag": "id"})


fraiseql.crud(Org, create=True, optional=("id",), nested=("crews", "tags"))
fraiseql.crud(Crew, create=True, generated=("id",), nested=("partner",))
fraiseql.crud(Tag, create=True, generated=("id",), nested=("orgs",))


@pytest.mark.parametrize(
    "order", [*permutations((Org, Crew, Tag))], ids=lambda order: "-".join(t.__name__ for t in order)
)
def test_types_may_be_nested_in_each_other(order: tuple[type, ...]) -> None:
    @fraiseql.query
    def orgs() -> list[Org]: ...

    sdl = print_sdl(fraiseql.Schema(types=order, queries=[orgs]))
    for line in (
        "input CreateOrgInput {\n  id: ID\n  crews: [CreateOrgCrewsInput!]\n  tags: [CreateOrgTagsInput!]\n}",
        "input CreateOrgCrewsInput {\n  partnerId: ID\n  partner: CreateCrewPartnerInput\n}",
        "input CreateTagInput {\n  orgs: [CreateTagOrgsInput!]\n}",
    ):
        assert line in re.sub(r'\n *"""[^\n]*"""', "", sdl), sdl


def test_one_word_for_each_type() -> None:
    names = types()
    fraiseql.crud(names["Team"], create=True)
    with pytest.raises(SchemaError, match=r"crud\(Team\): found a second crud"):
        fraiseql.crud(names["Team"], update=True)


@pytest.mark.parametrize(
    "taken",
    ["CreateTeamInput", "UpdateTeamInput", "UpsertTeamInput", "TeamConflict", "CreatePersonTeamInput", "AddressInput"],
)
def test_names_of_types_that_are_taken(taken: str) -> None:
    names = types()
    options = {"create": True, "update": True, "upsert": (("id",), ("title",))}
    fraiseql.crud(names["Team"], **options)
    fraiseql.crud(names["Person"], **options | {"upsert": False}, nested=("team",))
    other = fraiseql.input(name=taken)(type("Other", (), {"__annotations__": {"it": int}}))
    with pytest.raises(SchemaError, match=f"{taken}: found a type of that name; expected another"):
        schema(names, types=[other])


def test_names_of_mutations_that_are_taken() -> None:
    names = types()
    fraiseql.crud(names["Team"], create=True)
    other = fraiseql.type(name="Teams", sql_source="t", jsonb_column=None)(
        type("Other", (), {"__annotations__": {"id": ID}})
    )
    fraiseql.crud(other, create=True, plural="Teamses")
    with pytest.raises(SchemaError, match=r"Mutation\.createTeams: found two mutations of that name; expected one"):
        schema(names, types=[other])


def test_a_subclass_has_no_crud_of_its_base() -> None:
    @fraiseql.type(sql_source="bases", jsonb_column=None)
    class Base:
        id: ID

    fraiseql.crud(Base, create=True)

    @fraiseql.type(sql_source="subs", jsonb_column=None)
    class Sub(Base):
        id: ID

    @fraiseql.query
    def subs() -> list[Sub]: ...

    assert "Mutation" not in print_sdl(fraiseql.Schema(types=[Sub], queries=[subs]))
