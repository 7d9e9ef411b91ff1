using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Bellhop.Infrastructure.Secrets;

/// <summary>The keys that secrets at rest are encrypted with: the first seals, all of them open.</summary>
/// <remarks>
/// <para>A key ring is a file of lines <c>kid:key</c>, the kid eight lower-case hexadecimal digits and the key 32
/// bytes in base64; empty lines and lines that start with <c>#</c> are passed over. Adding a key in front rotates:
/// what older keys sealed stays readable for as long as they stay in the file.</para>
/// <para>A file that others than its owner may read or write is refused, and so is one that does not parse to the
/// last line. Messages name the file and the line, never what is in it.</para>
/// <para>Losing the file loses every secret it sealed: it belongs in the backup, and not beside the database's.</para>
/// </remarks>
public sealed class KeyRing
{
    private const int MaxFileBytes = 64 * 1024;

    private const UnixFileMode OthersMay =
        UnixFileMode.GroupRead
        | UnixFileMode.GroupWrite
        | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead
        | UnixFileMode.OtherWrite
        | UnixFileMode.OtherExecute;

    private readonly Dictionary<string, RingKey> _byId;

    private KeyRing(IReadOnlyList<RingKey> keys)
    {
        Keys = keys;
        _byId = keys.ToDictionary(key => key.Id, StringComparer.Ordinal);
    }

    /// <summary>All keys in the file's order; at least one.</summary>
    public IReadOnlyList<RingKey> Keys { get; }

    /// <summary>The key that seals: the first.</summary>
    public RingKey Active => Keys[0];

    /// <summary>The key of that id, or null.</summary>
    public RingKey? Find(string kid) => _byId.GetValueOrDefault(kid);

    /// <summary>Reads a key ring that must exist: the one an operator configured.</summary>
    /// <exception cref="KeyRingException">It is missing, readable by others, empty or malformed.</exception>
    public static KeyRing Load(string path)
    {
        RefuseWindows(path);
        try
        {
            using var handle = File.OpenHandle(path);
            // Asked of the open file, so that it cannot be exchanged between the question and the reading.
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(handle) & OthersMay) != 0)
            {
                throw new KeyRingException(path, "others than its owner may access it; chmod 600 it");
            }

            using var file = new FileStream(handle, FileAccess.Read);
            if (file.Length > MaxFileBytes)
            {
                throw new KeyRingException(path, $"it is longer than {MaxFileBytes} bytes");
            }

            using var text = new StreamReader(file);
            return Parse(path, text.ReadToEnd());
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new KeyRingException(path, "it cannot be read", exception);
        }
    }

    /// <summary>Reads the key ring, and makes one with a random key first when there is none.</summary>
    /// <remarks>
    /// Of several processes that start together one makes it and all read the same. The file appears whole or not at
    /// all, with mode 0600, and is on disk, its name included, before this returns.
    /// </remarks>
    /// <exception cref="KeyRingException">It can be neither read nor made, or what is there is not one.</exception>
    public static KeyRing LoadOrCreate(string path)
    {
        RefuseWindows(path);
        if (!File.Exists(path))
        {
            Create(path);
        }

        return Load(path);
    }

    /// <summary>Puts a new random key in front of the ring, where it seals from the next start of each process on.</summary>
    /// <remarks>
    /// The file is replaced as a whole, with mode 0600 and on disk before this returns; older keys keep their lines. Of two that
    /// add at once one is refused.
    /// </remarks>
    /// <returns>The id of the new key.</returns>
    /// <exception cref="KeyRingException">There is no sound key ring, or it cannot be replaced.</exception>
    public static string AddKey(string path)
    {
        Load(path);
        var draft = $"{path}.new";
        try
        {
            var id = WriteNewKey(draft, File.ReadAllText(path));
            File.Move(draft, path, overwrite: true);
            Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
            return id;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new KeyRingException(path, $"it cannot be replaced through {draft}", exception);
        }
    }

    /// <summary>The ids of the keys; never a key.</summary>
    public override string ToString() => $"key ring {string.Join(", ", Keys)}";

    private static void Create(string path)
    {
        // Written beside and then linked: link(2) fails when the name exists, as O_EXCL does, but the name never
        // stands for a file that is half written.
        var draft = $"{path}.{Guid.NewGuid():n}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            WriteNewKey(draft, "");
            if (Link(draft, path) != 0 && !File.Exists(path))
            {
                throw new IOException(Marshal.GetLastPInvokeErrorMessage());
            }

            Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new KeyRingException(path, "it cannot be made", exception);
        }
        finally
        {
            File.Delete(draft);
        }
    }

    private static string WriteNewKey(string path, string older)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.None,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var key = RandomNumberGenerator.GetBytes(RingKey.SizeBytes);
        using var file = new FileStream(path, options);
        file.Write(Encoding.UTF8.GetBytes($"{RingKey.IdOf(key)}:{Convert.ToBase64String(key)}\n{older}"));
        file.Flush(flushToDisk: true);
        return RingKey.IdOf(key);
    }

    private static KeyRing Parse(string path, string text)
    {
        var keys = new List<RingKey>();
        var number = 0;
        foreach (var line in text.Split('\n').Select(line => line.Trim()))
        {
            number++;
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            var key =
                RingKey.TryParse(line)
                ?? throw new KeyRingException(
                    path,
                    $"line {number} is not an id of 8 hex digits, ':', 32 bytes base64"
                );
            if (keys.Exists(other => other.Id == key.Id))
            {
                throw new KeyRingException(path, $"line {number} repeats the id {key.Id}");
            }

            keys.Add(key);
        }

        return keys.Count > 0 ? new KeyRing(keys) : throw new KeyRingException(path, "it holds no key");
    }

    private static void RefuseWindows(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new KeyRingException(path, "a key ring needs Unix file permissions");
        }
    }

    // Without this a crash may keep the rows that were sealed and lose the name of the file with their key.
    private static void Flush(string directory)
    {
        using var handle = new SafeFileHandle(Open(directory, 0), ownsHandle: true);
        if (handle.IsInvalid || FSync(handle) != 0)
        {
            throw new IOException(Marshal.GetLastPInvokeErrorMessage());
        }
    }

    [DllImport("libc", EntryPoint = "link", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Link(
        [MarshalAs(UnmanagedType.LPUTF8Str)] string existing,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string name
    );

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int FSync(SafeFileHandle handle);
}

/// <summary>A key ring that cannot be used; the process should end with exit code 78 (EX_CONFIG) and the message.</summary>
public sealed class KeyRingException(string path, string reason, Exception? inner = null)
    : Exception($"The key ring {path} cannot be used: {reason}.", inner)
{
    /// <summary>The file it is about.</summary>
    public string Path { get; } = path;
}
