"""Settings: environment first, then .env.local, then .env; keys shown nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tmdbkit import ConvexDeployment
from tmdbkit.exceptions import SettingsError, SettingsWarning
from tmdbkit.settings import _VARIABLES, Secret, Settings, find_folder
from tmdbkit.tmdb.session import TMDBService

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once


def test_the_environment_wins_over_env_local_and_that_over_env(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TMDBKIT_RATE=1\nTMDBKIT_REGION=DE\nTMDBKIT_CAST=3\n")
    (tmp_path / ".env.local").write_text("TMDBKIT_RATE=2\nTMDBKIT_REGION=FR\n")
    settings = Settings.from_env({"TMDBKIT_RATE": "3"}, folder=tmp_path)
    assert (settings.rate, settings.region, settings.cast) == (3.0, "FR", 3)


def test_env_files_are_read_as_convex_writes_them(tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text(
        "# Deployment used by `npx convex dev`\n"
        "CONVEX_DEPLOYMENT=dev:happy-animal-123 # team: t, project: p\n\n"
        'CONVEX_URL="https://happy-animal-123.convex.cloud/"\n'
        "CONVEX_DEPLOY_KEY='dev:happy-animal-123|abc$def'\n"
    )
    settings = Settings.from_env({}, folder=tmp_path)
    assert settings.convex_url == "https://happy-animal-123.convex.cloud"
    assert settings.convex_key.reveal() == "dev:happy-animal-123|abc$def"


@pytest.mark.parametrize("mark", [".env", ".git", "data/stage"])
def test_the_project_is_the_first_folder_upward_that_has_a_mark(tmp_path: Path, mark: str) -> None:
    (tmp_path / mark).mkdir(parents=True)
    inner = tmp_path / "notebooks" / "deep"
    inner.mkdir(parents=True)
    assert find_folder(inner) == tmp_path


def test_the_default_stage_is_in_the_project_and_not_in_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "notebooks"
    inner.mkdir()
    assert Settings.from_env({}, folder=inner).stage == tmp_path / "data" / "stage"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert Settings.from_env({"TMDBKIT_RATE": " "}, folder=tmp_path).rate == 38.0


def test_self_hosted_variables_are_read_as_convex_reads_them(tmp_path: Path) -> None:
    given = {
        "CONVEX_SELF_HOSTED_URL": "http://127.0.0.1:3210",
        "CONVEX_SELF_HOSTED_ADMIN_KEY": "name|key",
    }
    settings = Settings.from_env(given, folder=tmp_path)
    assert settings.convex_url == "http://127.0.0.1:3210"
    assert settings.convex_key == Secret("name|key")


# Which deployment

CLOUD = {
    "CONVEX_URL": "https://happy-animal-123.convex.cloud",
    "CONVEX_DEPLOY_KEY": "prod:happy-animal-123|cloud",
}
OWN = {
    "CONVEX_SELF_HOSTED_URL": "http://127.0.0.1:3210",
    "CONVEX_SELF_HOSTED_ADMIN_KEY": "convex-self-hosted|own",
}
URL, KEY = ({name: value} for name, value in CLOUD.items())
OWN_URL, OWN_KEY = ({name: value} for name, value in OWN.items())


def deployment_of(
    folder: Path, environment: dict[str, str], *files: dict[str, str]
) -> ConvexDeployment:
    """What is opened with these variables in the environment, `.env.local` and `.env`."""
    for name, values in zip((".env.local", ".env"), files, strict=False):
        (folder / name).write_text("".join(f"{n}={v}\n" for n, v in values.items()))
    return ConvexDeployment(settings=Settings.from_env(environment, folder=folder))


@pytest.mark.parametrize(
    ("sources", "wins"),
    [
        ((OWN, {}, CLOUD), OWN),
        ((CLOUD, {}, OWN), CLOUD),
        (({}, OWN, CLOUD), OWN),
        (({}, CLOUD, OWN), CLOUD),
        ((OWN_URL, OWN_KEY, CLOUD), OWN),
        ((OWN_KEY, {}, CLOUD | OWN_URL), OWN),
        ((URL, OWN, KEY), CLOUD),
        ((CLOUD | OWN_URL, OWN, {}), CLOUD),
        ((URL | OWN_KEY, {}, OWN_URL), OWN),
        ((CLOUD, CLOUD | OWN, CLOUD | OWN), CLOUD),
        (({"CONVEX_URL": " "} | OWN, {}, CLOUD), OWN),
        (({}, {"CONVEX_URL": "", "CONVEX_DEPLOY_KEY": ""}, CLOUD | OWN), OWN),
    ],
)
def test_the_pair_with_a_half_in_the_earliest_source_wins(
    sources: tuple[dict[str, str], ...], wins: dict[str, str], tmp_path: Path
) -> None:
    opened = deployment_of(tmp_path, *sources)
    url, key = wins.values()
    assert (opened.url, opened._key.reveal()) == (url, key)


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ((URL, {}, KEY), "CONVEX_URL is from the environment, CONVEX_DEPLOY_KEY from {}/.env"),
        (
            ({}, OWN_KEY, CLOUD | OWN_URL),
            "CONVEX_SELF_HOSTED_URL is from {}/.env, "
            "CONVEX_SELF_HOSTED_ADMIN_KEY from {}/.env.local",
        ),
        ((CLOUD, OWN, OWN), ""),
        (({}, {}, CLOUD), ""),
    ],
)
def test_halves_from_two_sources_are_said(
    sources: tuple[dict[str, str], ...], says: str, tmp_path: Path
) -> None:
    assert deployment_of(tmp_path, *sources).origin == says.replace("{}", str(tmp_path))


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ((OWN_URL, {}, CLOUD), "set CONVEX_SELF_HOSTED_ADMIN_KEY, which goes with CONVEX_SELF_HOS"),
        ((OWN_KEY, CLOUD, CLOUD), "set CONVEX_SELF_HOSTED_URL and CONVEX_SELF_HOSTED_ADMIN_KEY"),
        ((URL, OWN, {}), "set CONVEX_DEPLOY_KEY, which goes with CONVEX_URL"),
        ((URL | OWN_KEY, {}, {}), "halves of different pairs"),
        ((OWN_URL | KEY, {}, URL | OWN_KEY), "halves of different pairs|names two deployments"),
        (
            (CLOUD | OWN, {}, {}),
            "the environment names two deployments: CONVEX_URL with CONVEX_DEP",
        ),
        (
            ({}, {}, CLOUD | OWN),
            r"\.env names two deployments: CONVEX_URL with CONVEX_DEPLOY_KEY, ",
        ),
    ],
)
def test_where_none_can_be_meant_it_is_one_line_that_names_the_variables(
    sources: tuple[dict[str, str], ...], says: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=says):
        deployment_of(tmp_path, *sources)


def test_what_is_wrong_about_a_deployment_is_nothing_to_who_opens_none(tmp_path: Path) -> None:
    assert Settings.from_env(CLOUD | OWN, folder=tmp_path).rate == 38.0
    given = ConvexDeployment(*CLOUD.values(), settings=Settings.from_env(CLOUD | OWN))
    assert given.url == CLOUD["CONVEX_URL"]


def test_a_mistyped_address_is_told_by_the_name_of_its_own_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CONVEX_SELF_HOSTED_URL is not an address"):
        Settings.from_env({**OWN, "CONVEX_SELF_HOSTED_URL": "localhost"}, folder=tmp_path)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TMDBKIT_RATE", "fast"),
        ("TMDBKIT_RATE", "0"),
        ("TMDBKIT_RATE", "nan"),
        ("TMDBKIT_CAST", "ten"),
        ("TMDBKIT_CAST", "-1"),
        ("TMDBKIT_OFFLINE", "maybe"),
        ("TMDBKIT_IMAGES", "data"),
        ("TMDBKIT_POSTER_SIZE", "w501"),
        ("TMDB_BASE_URL", "api.themoviedb.org/3"),
        ("TMDB_BASE_URL", "https://"),
        ("CONVEX_URL", "htps://happy.convex.cloud"),
        ("CONVEX_URL", "https://ha ppy.convex.cloud"),
    ],
)
def test_a_value_that_cannot_be_meant_is_one_line_that_names_the_variable(
    variable: str, value: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=variable) as caught:
        Settings.from_env({variable: value}, folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_key_pasted_into_the_wrong_variable_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"CONVEX_URL": "prod:happy|s3cret"}, folder=tmp_path)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("draw", [repr, str, "{}".format, "{0!r}".format, lambda s: f"{vars(s)}"])
def test_keys_are_drawn_nowhere(draw: object, tmp_path: Path) -> None:
    keys = {
        "TMDB_READ_ACCESS_TOKEN": "tok3n",
        "TMDB_API_KEY": "k3y",
        "CONVEX_DEPLOY_KEY": "d3ploy",
    }
    drawn = draw(Settings.from_env(keys, folder=tmp_path))  # type: ignore[operator]
    assert not any(key in drawn for key in keys.values())


def test_a_secret_is_true_only_where_there_is_one() -> None:
    assert Secret("x")
    assert not Secret("  ")


@pytest.mark.parametrize("name", [".env", ".env.local"])
def test_an_env_file_of_another_encoding_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").touch()
    (tmp_path / name).write_text("TMDBKIT_CAST=3\n", encoding="utf-16")
    with pytest.raises(SettingsError, match=rf"{name} is not text in UTF-8; save it as such$"):
        Settings.from_env({}, folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# keys\nTMDB_API_KEY s3cret\nTMDBKIT_CAST=3\n", 2),
        ("TMDBKIT_CAST=3\n\nTMDB_API_KEY='s3cret\n", 3),
        ("CONVEX_URL: https://happy-animal-123.convex.cloud\n", 1),
    ],
)
def test_a_line_that_is_no_setting_is_an_error_that_names_it_and_not_what_it_says(
    tmp_path: Path, text: str, line: int, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text(text)
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({}, folder=tmp_path)
    assert str(caught.value) == f"{tmp_path / '.env'}, line {line}: not NAME=value"
    assert caplog.records == []


def test_names_alone_comments_and_exports_are_no_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# TMDB\nNODE_ENV\nexport TMDBKIT_CAST=3\n\nOTHER=\n")
    assert Settings.from_env({}, folder=tmp_path).cast == 3


# What is written in a file


def test_what_stands_in_braces_is_replaced_as_a_shell_does(tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text("NAME=happy-animal-123\n")
    (tmp_path / ".env").write_text(
        "HOST=${NAME}.convex.cloud\n"
        "CONVEX_URL=https://${HOST}\n"
        'CONVEX_DEPLOY_KEY="dev:${NAME}|${SECRET}"\n'
        "TMDBKIT_CAST=${MOST:-7}\n"
        "TMDBKIT_REVIEWER='${NAME}'\n"
    )
    settings = Settings.from_env({"SECRET": "s3cret"}, folder=tmp_path)
    assert settings.convex_url == "https://happy-animal-123.convex.cloud"
    assert settings.convex_key.reveal() == "dev:happy-animal-123|s3cret"
    assert (settings.cast, settings.reviewer) == (7, "${NAME}")


def test_what_stands_in_braces_and_is_not_set_is_an_error_that_names_the_line(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text("# ours\nOTHER=${GONE}\n\nTMDB_API_KEY=${GONE}\n")
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({}, folder=tmp_path)
    assert str(caught.value) == f"{tmp_path / '.env'}, line 4: ${{GONE}} is not set"


# A slip in a name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TMDB_READ_ACESS_TOKEN", "TMDB_READ_ACCESS_TOKEN"),
        ("TMDB_ACCESS_TOKEN", "TMDB_READ_ACCESS_TOKEN"),
        ("TMDB_APIKEY", "TMDB_API_KEY"),
        ("tmdb_api_key", "TMDB_API_KEY"),
        ("TMBD_API_KEY", "TMDB_API_KEY"),
        ("CONVEX_DEPLOYMENT_KEY", "CONVEX_DEPLOY_KEY"),
        ("CONVEX_SELFHOSTED_URL", "CONVEX_SELF_HOSTED_URL"),
        ("OMDBAPI_KEY", "OMDB_API_KEY"),
        ("MDB_LIST_API_KEY", "MDBLIST_API_KEY"),
        ("TMDBKIT_STAG", "TMDBKIT_STAGE"),
        ("TMDBKIT_POSTERSIZE", "TMDBKIT_POSTER_SIZE"),
    ],
)
def test_a_name_that_may_be_meant_as_one_of_ours_is_said_with_that_one(
    name: str, meant: str, tmp_path: Path
) -> None:
    said = f"^{name} in the environment is none of tmdbkit's settings; did you mean {meant}.$"
    with pytest.warns(SettingsWarning, match=said):
        Settings.from_env({name: "x"}, folder=tmp_path)


def test_a_name_that_only_we_would_give_is_said_with_the_file_that_has_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TMDBKIT_COLOUR=blue\n")
    with pytest.warns(SettingsWarning) as said:
        Settings.from_env({}, folder=tmp_path)
    (warning,) = said
    there = tmp_path / ".env"
    assert str(warning.message) == f"TMDBKIT_COLOUR in {there} is none of tmdbkit's settings"


@pytest.mark.parametrize(
    "environment",
    [
        {"CONVEX_DEPLOYMENT": "dev:happy-animal-123"},
        {"VITE_CONVEX_URL": "x", "CONVEX_SITE_URL": "x", "NEXT_PUBLIC_CONVEX_URL": "x"},
        {"TVDB_API_KEY": "x", "IMDB_API_KEY": "x", "API_KEY": "x", "OMDB": "x"},
        {"TMDB_READ_ACCESS_TOKEN": "x", "TMDB_V3_API_KEY": "x"},
        {"PATH": "/bin", "HOME": "/root", "TMP": "/tmp"},
    ],
)
def test_names_of_others_and_of_what_is_set_already_are_no_slip(
    environment: dict[str, str], tmp_path: Path
) -> None:
    Settings.from_env(environment, folder=tmp_path)


# A key that would go elsewhere


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("TMDB_BASE_URL", "TMDB_READ_ACCESS_TOKEN"),
        ("TMDB_BASE_URL", "TMDB_API_KEY"),
        ("OMDB_BASE_URL", "OMDB_API_KEY"),
        ("MDBLIST_BASE_URL", "MDBLIST_API_KEY"),
        ("CONVEX_URL", "CONVEX_DEPLOY_KEY"),
        ("CONVEX_SELF_HOSTED_URL", "CONVEX_SELF_HOSTED_ADMIN_KEY"),
    ],
)
def test_an_address_of_a_folder_above_meets_a_key_of_the_environment_with_a_word_that_names_it(
    address: str, key: str, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / ".env").write_text(f"{address}=https://example.org\n")
    said = f"^{address} is from {tmp_path / '.env'}, {key} from the environment$"
    with pytest.warns(SettingsWarning, match=said):
        Settings.from_env({key: "x"}, folder=work)
    Settings.from_env({}, folder=work)  # without the key there is nothing to say
    Settings.from_env({key: "x"}, folder=tmp_path)  # nor in the folder itself
    Settings.from_env({key: "x", address: "https://example.net"}, folder=work)


# Keys as they are copied

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"
V3 = "0123456789abcdef0123456789ABCDEF"


@pytest.mark.parametrize(
    "copied",
    [
        f'"{JWT}"',
        f"'{JWT}'",
        f"“{JWT}”",
        f"Bearer {JWT}",
        f'"Bearer {JWT}"',
        f"bearer '{JWT}'",
        f"Authorization: Bearer {JWT}",
        f" {JWT}\n",
    ],
)
def test_what_is_copied_along_with_a_key_is_no_part_of_it(copied: str, tmp_path: Path) -> None:
    settings = Settings.from_env({"TMDB_READ_ACCESS_TOKEN": copied}, folder=tmp_path)
    assert settings.tmdb_token.reveal() == JWT
    assert Secret(copied).reveal() == JWT


def test_quotes_that_only_a_shell_takes_away_are_no_part_of_a_value(tmp_path: Path) -> None:
    given = {"CONVEX_URL": '"https://a-b-1.convex.cloud/"', "TMDBKIT_CAST": "'3'"}
    settings = Settings.from_env(given, folder=tmp_path)
    assert (settings.convex_url, settings.cast) == ("https://a-b-1.convex.cloud", 3)


@pytest.mark.parametrize(
    ("token", "api_key", "signs_with"),
    [
        (JWT, "", ("token", JWT)),
        ("", V3, ("key", V3)),
        (V3, "", ("key", V3)),
        ("", JWT, ("token", JWT)),
        (V3, JWT, ("token", JWT)),
        (V3, V3[::-1], ("key", V3[::-1])),
        (JWT, V3, ("token", JWT)),
        ("s0me", "th1ng", ("token", "s0me")),
    ],
)
def test_a_token_and_a_key_of_tmdb_are_known_by_their_form(
    token: str, api_key: str, signs_with: tuple[str, str]
) -> None:
    settings = Settings(tmdb_token=Secret(token), tmdb_api_key=Secret(api_key))
    request = requests.Request("GET", "https://api.themoviedb.org/3/movie/603").prepare()
    service = TMDBService.of(settings)
    signed = service.sign(request)
    kind, key = signs_with
    assert service.credential.secret == Secret(key)
    assert signed.headers.get("Authorization") == ("Bearer ***" if kind == "token" else None)
    assert ("api_key=***" in str(signed.url)) == (kind == "key")


# A country


@pytest.mark.parametrize("written", ["us", "US", "Us"])
def test_a_region_is_one_in_any_case(written: str, tmp_path: Path) -> None:
    assert Settings.from_env({"TMDBKIT_REGION": written}, folder=tmp_path).region == "US"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("uk", "GB"),
        ("USA", "US"),
        ("DEU", "DE"),
        ("en-GB", "GB"),
        ("de_CH", "CH"),
        ("EN", "US"),
        ("JA", "JP"),
    ],
)
def test_a_region_that_does_not_exist_is_an_error_with_the_one_that_may_be_meant(
    written: str, meant: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=rf"did you mean {meant}\? \(from the environment\)$"):
        Settings.from_env({"TMDBKIT_REGION": written}, folder=tmp_path)


@pytest.mark.parametrize("written", ["XX", "1", "QQ-QQ", "-"])
def test_of_a_region_that_is_like_none_nothing_is_guessed(written: str, tmp_path: Path) -> None:
    said = r"the two letters of a country, such as US \(from the environment\)$"
    with pytest.raises(SettingsError, match=said):
        Settings.from_env({"TMDBKIT_REGION": written}, folder=tmp_path)


# Each setting with its source


def test_each_setting_is_shown_with_its_source_and_of_a_key_only_that_it_is_set(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text("TMDBKIT_RATE=5\nOMDB_BASE_URL=https://ann:pass@example.org\n")
    settings = Settings.from_env({"TMDB_API_KEY": "s3cret", **CLOUD}, folder=tmp_path)
    shown = {row["variable"]: (row["value"], row["source"]) for row in settings.shown()}
    assert shown["TMDBKIT_RATE"] == ("5", str(tmp_path / ".env"))
    assert shown["TMDB_API_KEY"] == ("set", "the environment")
    assert shown["TMDB_READ_ACCESS_TOKEN"] == ("", "default")
    assert shown["TMDBKIT_CAST"] == ("10", "default")
    assert shown["OMDB_BASE_URL"] == ("https://…@example.org", str(tmp_path / ".env"))
    assert shown["CONVEX_URL"] == (CLOUD["CONVEX_URL"], "the environment")
    assert shown["CONVEX_SELF_HOSTED_URL"] == ("", "default")
    assert shown.keys() == _VARIABLES.keys()


def test_settings_draw_what_is_not_usual_alone() -> None:
    assert repr(Settings()) == "Settings()"
    assert repr(Settings(rate=5, tmdb_token=Secret("k"))) == (
        "Settings(tmdb_token=Secret(set), rate=5)"
    )
