"""What several tests of ``dlcli data`` share."""


def write_folder(folder, contents):
    folder.mkdir(parents=True)
    for file, content in contents.items():
        (folder / file).write_bytes(content)
