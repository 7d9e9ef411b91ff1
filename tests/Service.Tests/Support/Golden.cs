using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>Files that say what the service looks like from outside. <c>./dev golden</c> writes them anew, for review as a diff.</summary>
public static class Golden
{
    private static readonly bool Update = Environment.GetEnvironmentVariable("BELLHOP_UPDATE_GOLDEN") == "1";

    public static void AssertMatches(string file, string actual) =>
        AssertIs(Path.Combine("tests", "Service.Tests", "Golden", file), actual);

    /// <summary>The same for a file elsewhere, which is not only for tests.</summary>
    /// <param name="file">Its path from the root of the checkout.</param>
    public static void AssertIs(string file, string actual)
    {
        var path = Path.Combine(Checkout.Root, file);
        var text = actual.ReplaceLineEndings("\n").TrimEnd() + "\n";
        if (Update)
        {
            File.WriteAllText(path, text);
            return;
        }

        Assert.True(File.Exists(path), $"{file} is missing: run ./dev golden and review it.");
        Assert.Equal(File.ReadAllText(path), text);
    }
}
